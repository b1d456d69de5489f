// The page of a visit form: who it is about, the live grade, and saving it on this phone.

import { attach } from '../forms/runtime.js';
import * as drafts from '../offline/drafts.js';
import * as fresh from '../offline/fresh.js';
import { online } from '../offline/net.js';
import { trouble, wayOut } from '../offline/opforms.js';
import * as outbox from '../offline/outbox.js';
import { userId } from '../offline/person.js';
import { draftGone } from '../offline/status.js';
import { isoDay } from '../when.js';
import { contextOf, factsWith, gradeOf } from './live.js';
import * as mending from './mending.js';
import * as paint from './paint.js';
import { payloadOf } from './payload.js';
import { definitionOf, load, unseenVisits } from './person.js';
import * as saved from './saved.js';
import { say } from './say.js';

/** Bring the form on this page to life; a second call for the same form does nothing. */
export async function start(document) {
  const element = document.getElementById('visit-form');
  if (!element || 'started' in element.dataset) return;
  element.dataset.started = '';
  const page = new VisitForm(document, element);
  element.addEventListener('submit', (event) => {
    event.preventDefault();
    page.save();
  });
  await page.start();
}

class VisitForm {
  constructor(document, element) {
    Object.assign(this, { document, element });
    this.form = JSON.parse(document.getElementById('form-definition').textContent);
    this.today = isoDay();
    this.kind = element.dataset.op;
    this.visitId = element.dataset.visit;
    this.named = element.dataset.named;
    this.base = Number(element.dataset.baseRevision) || undefined;
    this.live = null;
    this.ready = false;
  }

  async start() {
    const asked = new URLSearchParams(this.document.location.search);
    this.mending = await this.recordToMend();
    const given = this.element.elements.patient_id;
    this.patientId = this.mending?.patient_id || asked.get('patient') || given.value;
    if (!this.patientId) {
      this.refuse('请从老人的页面点“开始随访”。');
      return;
    }
    given.value = this.patientId;
    await this.meet();
    const visited = this.element.elements.visited_on;
    visited.max = this.today;
    if (this.kind === 'visit.create') visited.value = this.today; // the page may be days old
    this.nextVisit = new paint.NextVisit(this.element);
    paint.lastValues(this.element, this.form, this.context.last || {});
    this.element.addEventListener('input', () => this.sameDay(), true);
    this.runtime = attach(this.element, this.form, {
      patient: this.context,
      onChange: (state) => this.changed(state),
    });
    this.sameDay();
    this.ready = true;
    await this.fillIn();
    this.changed(this.runtime.state());
    this.element.dataset.started = '1'; // from here on nothing changes under the doctor's hands
  }

  /** The refused record this page was opened for. */
  async recordToMend() {
    const record = await mending.record();
    if (!record) return null;
    this.kind = record.kind;
    this.visitId = record.payload.visit_id;
    this.named = this.named || record.corrects;
    // What the server has by now is what a correction builds on.
    this.base = Math.max(this.base || 0, record.result?.current?.revision || 0, record.base_revision || 0);
    return record;
  }

  /** The person, what this phone knows of them, and the table of grades. */
  async meet() {
    const [found, table] = await Promise.all([load(this.patientId), rules()]);
    this.table = table;
    this.data = found?.data || this.stranger();
    this.known = Boolean(found);
    const visits = found ? await this.unseen(this.data.visits) : [];
    const definitions = await this.definitions(visits);
    this.facts = factsWith(this.data, visits, definitions);
    this.context = contextOf(this.data, this.form, visits, this.today, this.named || this.visitId || null);
    // What the corrected visit itself measured is not 上次; the server left it out of this page.
    if (this.visitId) this.context.last = this.lastOnPage();
    if (this.facts.conditions !== undefined) this.context.conditions = this.facts.conditions;
    if (!found) {
      if (!Object.keys(this.context.last).length) this.context.last = null; // nothing can be asked for twice
      say(
        this.document,
        'warn',
        '这台手机上没有这位老人的资料，看不到上次的数值，也算不出分级。仍然可以记录，上传后由服务器分级。',
      );
      return;
    }
    paint.person(this.document, this.data, this.today);
    const back = this.document.querySelector('a[data-back]');
    if (back && this.kind === 'visit.create') back.href = `/patients/${this.patientId}`;
  }

  /** Nobody the phone knows: only what the page itself says. */
  stranger() {
    const name = this.document.getElementById('person-name').textContent;
    return { id: this.patientId, name, facts: {}, visits: [], last: this.lastOnPage() };
  }

  lastOnPage() {
    const block = this.document.getElementById('form-last');
    return block ? JSON.parse(block.textContent) : {};
  }

  async unseen(listed) {
    return unseenVisits(userId(), this.patientId, listed, this.mending?.op_id).catch(() => []);
  }

  async definitions(visits) {
    const known = { [this.form.key]: this.form };
    for (const { payload } of visits) {
      if (!known[payload.form]) known[payload.form] = await definitionOf(payload.form).catch(() => null);
    }
    return known;
  }

  async fillIn() {
    const about = [this.form.key, this.patientId, this.visitId, this.mending?.op_id];
    this.draftName = about.filter(Boolean).join('|');
    if (this.mending) {
      await this.keepDraft();
      this.showMending(Boolean(this.draft?.restored));
      return;
    }
    const fresh = this.kind === 'visit.create';
    if (fresh) this.copyLast();
    await this.keepDraft();
  }

  /** Typed text survives a killed browser. */
  async keepDraft({ quiet = false } = {}) {
    const how = {
      collect: () => this.typed(),
      apply: (_form, kept) => {
        this.put(kept.answers, kept.header);
        if (kept.reason) this.element.elements.reason.value = kept.reason;
      },
    };
    this.draft = await drafts.watch(this.element, this.draftName, how).catch(() => null);
    if (!this.draft?.restored || quiet) return;
    const { element: form, draft } = this;
    drafts.announce(form, { form, stop: () => draft.stop() });
  }

  typed() {
    const { reason } = this.element.elements;
    const { answers } = this.runtime.state();
    return { answers, header: this.typedHeader(), ...(reason?.value ? { reason: reason.value } : {}) };
  }

  typedHeader() {
    const { header } = this.runtime.state();
    return this.nextVisit.byHand ? header : { ...header, next_visit_on: null };
  }

  put(answers, header) {
    this.runtime.fill(answers, header);
    if (header?.next_visit_on) this.nextVisit.keep();
    this.changed(this.runtime.state());
  }

  /** Rows that are copied from the last visit, such as medication. */
  copyLast() {
    const rows = {};
    for (const field of this.form.fields) {
      const before = this.context.last?.[field.key];
      if (field.copy_last && Array.isArray(before?.value) && before.value.length)
        rows[field.key] = before.value;
    }
    const { answers } = this.runtime.state();
    if (!Object.keys(rows).length || Object.keys(rows).some((key) => answers[key]?.length)) return;
    this.runtime.fill({ ...answers, ...rows });
    paint.lastMeds(this.element, this.context.last);
  }

  /** A refused record with the server's words at each field. */
  showMending(begun) {
    const { payload, result } = this.mending;
    const { mode, next_visit_on, visited_at, answers } = payload;
    if (!begun) {
      this.put(answers, { mode, next_visit_on, visited_on: String(visited_at).slice(0, 10) });
      const reason = this.element.elements.reason;
      if (reason && payload.reason) reason.value = payload.reason;
    }
    const block = this.document.getElementById('visit-answers');
    const newest = Number(this.element.dataset.baseRevision) >= (result?.current?.revision || 1);
    const theirs = this.kind === 'visit.correct' && newest && block ? JSON.parse(block.textContent) : null;
    mending.dress(this.document, this.runtime, { form: this.form, result, answers, theirs });
  }

  sameDay() {
    this.context.same_day_visit = this.context.days_with_visit.includes(
      this.element.elements.visited_on.value,
    );
  }

  /** At each keystroke: the grade these answers lead to. Never in the way of typing. */
  changed(state) {
    if (!this.ready || !this.table || !this.known) return;
    try {
      const { form, data, facts: known, today, table } = this;
      const { answers, context, header } = state;
      this.live = gradeOf({
        data,
        known,
        form,
        answers,
        context,
        visited_on: header.visited_on,
        today,
        table,
      });
    } catch (error) {
      console.error('grade', error);
      this.live = null;
      return;
    }
    const referralOpen = state.errors.some((error) => error.pointer === '/answers/referral');
    paint.preview(this.document, this.live, this.table, { referralOpen });
    this.nextVisit.suggest(this.live.next_on, this.live.result.due_in_days, this.today);
  }

  async save() {
    if (this.busy || !this.ready) return;
    if (!this.reasonGiven() || !this.runtime.validate()) return;
    this.busy = true;
    try {
      await this.keep();
    } catch (error) {
      this.notSaved(error);
    } finally {
      this.busy = false;
    }
  }

  reasonGiven() {
    const { reason } = this.element.elements;
    if (!reason || reason.value.trim()) return true;
    reason.setAttribute('aria-invalid', 'true');
    reason.focus();
    say(this.document, 'fault', '请写明更正原因。');
    return false;
  }

  async keep() {
    const { form, patientId: patient_id, kind, live } = this;
    const { answers, header } = this.runtime.state();
    const correcting = kind === 'visit.correct';
    const reason = this.element.elements.reason?.value.trim() || this.mending?.payload.reason;
    const stated_at = this.mending?.payload.visited_at || this.element.dataset.visitedAt;
    const payload = payloadOf({
      ...{ form, patient_id, answers, header, stated_at, grade: live?.result },
      ...(correcting ? { visit_id: this.visitId, reason } : {}),
    });
    const record = await outbox.add({
      kind,
      payload,
      base_revision: correcting ? this.base : undefined,
      corrects: correcting ? this.named : undefined,
      label: correcting ? `${form.zh} 更正` : form.zh,
      patient_id,
      patient_name: this.data.name,
      replaces: this.mending?.op_id,
      hold_ms: saved.UNDO_SECONDS * 1000,
    });
    await this.draft?.stop().catch(() => {}); // a draft left over harms nobody
    draftGone();
    fresh.settled();
    this.clearSays();
    const { data, table, today } = this;
    await saved.show(this.document, {
      record,
      form,
      data,
      live,
      table,
      header,
      answers,
      today,
      onUndo: () => this.undone(),
    });
  }

  /** Taken back within ten seconds: the form stands as it was, and is a draft again. */
  async undone() {
    await drafts.save(this.draftName, this.typed()).catch(() => {});
    await this.keepDraft({ quiet: true });
    this.document.getElementById('save-button').focus();
  }

  /** Never pretend. With a network the plain way is still open. */
  notSaved(error) {
    console.error('save', error);
    const known = ['QuotaExceededError', 'SettledError'].includes(error?.name);
    if (online() && !known && !this.mending) {
      HTMLFormElement.prototype.submit.call(this.element);
      return;
    }
    say(this.document, 'fault', trouble(error), wayOut(error));
  }

  refuse(text) {
    say(this.document, 'fault', text);
    this.document.getElementById('save-button').disabled = true;
  }

  clearSays() {
    this.document.getElementById('page-says')?.replaceChildren();
  }
}

/** The table of grades; without it the visit is saved all the same and the server grades it. */
async function rules() {
  try {
    const response = await fetch('/static/rules/grading.json');
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}
