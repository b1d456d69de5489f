// Life of a visit form on the page: shows and hides, works out, warns and refuses in words.
// Everything it adds is comfort: without it the same form posts and the server says the same.
import { check, labelled } from './check.js';
import { collect, fill, fillHeader, header, setControls } from './collect.js';
import { softLimit } from './compute.js';
import { holds } from './conditions.js';
import { keyOf, placeOf, show, summarise } from './messages.js';
import { trusted } from './read.js';
import { Rows } from './rows.js';

// in an emergency what happens next is asked first
const URGENT = ['referral', 'referral_reason', 'referral_org_dept', 'emergency_reason'];

/**
 * @param {HTMLFormElement} element
 * @param {object} form definition
 * @param {{patient?: object, onChange?: (state: object) => void}} options patient: the context of
 *   check() as far as the page knows it (birth_date, conditions, last, previous_visit_on, today,
 *   same_day_visit); onChange gets {answers, header, context, computed, errors, warnings}
 * @returns {{state: () => object, validate: () => boolean, fill: (answers: object, header?: object) => void,
 *   showErrors: (errors: object[], why?: string) => void}}
 */
export function attach(element, form, { patient = {}, onChange = () => {} } = {}) {
  return new Runtime(element, form, patient, onChange).start();
}

class Runtime {
  constructor(element, form, patient, onChange) {
    Object.assign(this, { element, form, patient, onChange });
    this.touched = new Set();
    this.asked = false; // a save was tried: now what is missing may be said
    this.fromServer = [];
    this.chosenByHand = new Set();
    this.rows = {};
  }

  start() {
    const { element, form } = this;
    element.noValidate = true;
    for (const field of form.fields) {
      if (field.type === 'list') this.rows[field.key] = new Rows(element, field, () => this.update());
    }
    for (const button of element.querySelectorAll('[data-step]')) button.hidden = false;
    for (const button of element.querySelectorAll('[data-plain]')) button.hidden = true;
    for (const field of form.fields) {
      if (field.suggest && element.querySelector(`[name="${field.key}"]:checked`))
        this.chosenByHand.add(field.key);
    }
    element.addEventListener('input', (event) => this.changed(event));
    element.addEventListener('change', (event) => this.changed(event));
    element.addEventListener('click', (event) => this.click(event));
    element.addEventListener('keydown', (event) => this.keydown(event));
    element.addEventListener('focusout', (event) => this.leave(event));
    // a wheel over a focused number field would change a blood pressure
    element.addEventListener('wheel', (event) => event.target.type === 'number' && event.target.blur(), {
      passive: true,
    });
    element.addEventListener('toggle', (event) => this.opened(event), true);
    this.update();
    return {
      state: () => this.state,
      validate: () => this.validate(),
      fill: (answers, values) => this.fill(answers, values),
      showErrors: (errors, why) => this.showErrors(errors, why),
    };
  }

  /** The words that opened into a field are gone, so the finger's place moves into it. */
  opened(event) {
    const { target } = event;
    if (
      target.open &&
      !target.classList.contains('fold') &&
      document.activeElement === target.firstElementChild
    ) {
      target.querySelector('input, textarea').focus();
    }
  }

  context() {
    const given = header(this.element);
    return { ...this.patient, ...given };
  }

  /** Read, hide what does not apply, read again, then judge and draw. */
  update() {
    const { element, form } = this;
    const context = this.context();
    let answers = {};
    let values = null;
    // hiding one question can hide another that hangs on it: a few rounds settle every form
    for (let round = 0; round < 5; round += 1) {
      answers = collect(element, form);
      values = trusted(form, answers, context);
      if (this.suggest(values)) continue;
      if (!this.showAndHide(values)) break;
    }
    const found = check(form, answers, context);
    const computed = Object.fromEntries(form.computed.map((field) => [field.key, values.get(field.key)]));
    this.state = { answers, header: header(element), context, computed, ...found };
    this.drawComputed(values);
    this.drawNeed(values);
    this.drawChosen(values);
    this.drawMessages();
    this.onChange(this.state);
  }

  showAndHide(values) {
    let changed = false;
    const set = (node, shown) => {
      if (!node || node.hidden === !shown) return;
      node.hidden = !shown;
      changed = true;
    };
    for (const field of this.form.fields) {
      if (field.part_of) continue;
      if (field.shown_when) {
        set(this.element.querySelector(`[data-field="${field.key}"]`), holds(field.shown_when, values.of));
      }
      for (const choice of field.choices || []) {
        set(
          this.element.querySelector(`[data-choice="${choice.value}"]`),
          holds(choice.shown_when, values.of),
        );
      }
    }
    for (const grid of this.element.querySelectorAll('.chips')) {
      const choices = grid.querySelectorAll('[data-choice]:not([hidden])').length;
      if (choices) grid.dataset.cols = String(choices);
    }
    return changed;
  }

  /** Choose what the figures say, until the doctor has chosen. */
  suggest(values) {
    let changed = false;
    for (const field of this.form.fields) {
      if (!field.suggest || this.chosenByHand.has(field.key)) continue;
      const value = values.get(field.suggest);
      if (values.get(field.key) === value) continue;
      setControls(this.element, field.key, value);
      changed = true;
    }
    return changed;
  }

  drawComputed(values) {
    for (const field of this.form.computed) {
      const node = this.element.querySelector(`[data-computed="${field.key}"]`);
      if (!node) continue;
      const value = values.get(field.key);
      node.hidden = value === null;
      node.querySelector('b').textContent = value === null ? '' : labelled(field, value);
      const limit = softLimit(field, value, values);
      node.querySelector('.calc-word').textContent = limit ? limit.zh : '';
    }
  }

  /** In an emergency the referral block says beforehand that it must be filled. */
  drawNeed(values) {
    const side = this.element.querySelector('[data-side="referral"]');
    if (side) side.textContent = values.get('emergency') === true ? '危急情况须填' : '';
  }

  /** A folded question says what was chosen; danger in the figures opens it. */
  drawChosen(values) {
    for (const node of this.element.querySelectorAll('[data-chosen]')) {
      const field = this.form.fields.find((one) => one.key === node.dataset.chosen);
      const chosen = values.get(field.key) || [];
      const words = field.options.filter((option) => chosen.includes(option.code)).map((option) => option.zh);
      node.textContent = words.join('、') || node.dataset.unless;
      const alarming = values.get('emergency') === true;
      if (alarming && !this.alarmed) node.closest('details').open = true;
      this.alarmed = alarming;
    }
  }

  drawMessages() {
    const { errors, warnings } = this.state;
    const own = errors.filter(
      (error) => this.asked || (error.code !== 'required' && this.touched.has(keyOf(error.pointer))),
    );
    show(this.element, [...this.fromServer, ...own], warnings, (fix) => this.applyFix(fix));
  }

  applyFix(fix) {
    this.chosenByHand.add(fix.key);
    this.touched.add(fix.key);
    setControls(this.element, fix.key, fix.value);
    this.update();
  }

  /** Both input and change come here: a choice must be known before it is judged. */
  changed({ target, type }) {
    // not at change: that comes late, when a field filled before is left
    const mended = type === 'input' ? (target.name || '').split('-')[0] : '';
    this.fromServer = this.fromServer.filter((error) => keyOf(error.pointer) !== mended);
    if (target.type === 'checkbox') this.exclude(target);
    if (target.type === 'radio' || target.type === 'checkbox') {
      this.chosenByHand.add(target.name);
      this.touched.add(target.name);
    }
    this.update();
  }

  /** 无症状 clears the others, any other clears 无症状. */
  exclude(box) {
    if (!box.checked) return;
    for (const other of this.element.querySelectorAll(`input[name="${box.name}"]:checked`)) {
      if (other !== box && (box.dataset.excludes || other.dataset.excludes)) other.checked = false;
    }
  }

  leave(event) {
    const { name, value } = event.target;
    if (!name || (value === '' && !this.touched.has(name)) || event.target.type === 'radio') return;
    this.touched.add(name.split('-')[0]);
    this.drawMessages();
  }

  click(event) {
    const step = event.target.closest('[data-step]');
    if (step) this.step(step);
    const link = event.target.closest('[data-goto]');
    if (link) {
      event.preventDefault();
      this.goTo(link.dataset.goto);
    }
  }

  step(button) {
    const input = button.parentElement.querySelector('input');
    const by = Number(button.parentElement.dataset.by) * Number(button.dataset.step);
    // the first touch of an empty counter is 0 or one step
    const to = input.value === '' ? Math.max(0, by) : Number(input.value) + by;
    const kept = Math.min(Number(input.max), Math.max(Number(input.min), Math.round(to * 10) / 10));
    input.value = String(kept);
    this.touched.add(input.name);
    this.update();
  }

  /** Enter goes on to the next field and never saves half a form. */
  keydown(event) {
    const { target } = event;
    if (event.key !== 'Enter' || event.isComposing || target.tagName !== 'INPUT') return;
    event.preventDefault();
    const fields = Array.from(this.element.elements).filter(
      (one) =>
        one.tagName === 'INPUT' &&
        !['radio', 'checkbox', 'date'].includes(one.type) &&
        one.offsetParent !== null &&
        !one.closest('details:not([open])'),
    );
    const next = fields[fields.indexOf(target) + 1];
    if (!next) target.blur();
    else next.focus();
    if (next?.select) next.select();
  }

  fill(answers, values) {
    fill(this.element, this.form, answers);
    if (values) fillHeader(this.element, values);
    for (const [key, rows] of Object.entries(this.rows)) rows.fill(answers[key]);
    for (const field of this.form.fields) {
      if (field.suggest && answers[field.key] !== undefined) this.chosenByHand.add(field.key);
    }
    this.openFilled();
    this.update();
  }

  openFilled() {
    for (const fold of this.element.querySelectorAll('details.fold')) {
      const filled = Array.from(fold.querySelectorAll('input, textarea')).some((one) =>
        one.type === 'radio' || one.type === 'checkbox' ? one.checked : one.value !== '',
      );
      if (filled) fold.open = true;
    }
  }

  /** @returns {boolean} whether the form may be saved; if not, says why and goes there */
  validate() {
    this.asked = true;
    this.fromServer = [];
    this.update();
    this.drawSummary(this.state.errors);
    return this.state.errors.length === 0;
  }

  /** What the server refused, in its words, until the field is mended. */
  showErrors(errors, why) {
    this.asked = true;
    this.fromServer = errors;
    this.update();
    this.drawSummary(errors, why);
  }

  drawSummary(errors, why) {
    const card = summarise(this.element, errors, why);
    if (!errors.length) return;
    for (const error of errors) this.reveal(error.pointer);
    const urgent = errors.find((error) => URGENT.includes(keyOf(error.pointer)));
    if (!why && (errors.length === 1 || (urgent && this.state.computed.emergency))) {
      this.goTo((urgent || errors[0]).pointer);
      return;
    }
    card.focus({ preventScroll: true });
    card.scrollIntoView({ block: 'center' });
  }

  /** Unfold what hides the field of a finding. */
  reveal(pointer) {
    const [, , key, place] = pointer.split('/');
    if (this.rows[key] && place !== undefined) this.rows[key].reveal(Number(place));
    const at = placeOf(this.element, keyOf(pointer));
    for (let fold = at?.closest('details'); fold; fold = fold.parentElement.closest('details'))
      fold.open = true;
    return at;
  }

  goTo(pointer) {
    const at = this.reveal(pointer);
    if (!at) return;
    const group = at.closest('[data-field]');
    group.scrollIntoView({ block: 'center' });
    const [, , key, place, cell] = pointer.split('/');
    const name = cell === undefined ? keyOf(pointer) : null;
    const row = cell === undefined ? null : this.rows[key].entries()[Number(place)];
    const control = row
      ? row.querySelector(`[data-cell="${cell}"] input, [data-cell="${cell}"] select`)
      : group.querySelector(`[name="${name}"]`) || group.querySelector('input, textarea, button');
    if (control) control.focus({ preventScroll: true });
  }
}
