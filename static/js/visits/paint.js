// The live grade above the save button, its sheet of reasons, and who is being visited.

import { colourWords } from '../grading/explain.js';
import { monthDay, weekday } from '../when.js';
import { within } from './live.js';

export function tone(element, { colour, emergency }) {
  element.dataset.grade = colour;
  element.toggleAttribute('data-emergency', Boolean(emergency));
}

/** 红, 红 危急, 待评估 */
export function wordOf(result, table) {
  const word = colourWords({ colour: result.colour, emergency: false }, table).word;
  return result.emergency ? `${word} 危急` : word;
}

/** @param {{result: object, words: object[], missing: string[], held: boolean}} live as gradeOf gives it */
export function preview(document, live, table, { referralOpen }) {
  const bar = document.getElementById('grade-preview');
  if (!bar) return;
  const { result, words, missing, held } = live;
  bar.hidden = false;
  tone(bar, result);
  tone(document.getElementById('grade-badge'), result);
  say(document, 'grade-word', wordOf(result, table));
  say(document, 'grade-reason', headline(result, words, missing));
  const more = [];
  if (words.length > 1) more.push(`另有 ${words.length - 1} 条`);
  if (result.emergency && referralOpen) more.push('保存前须填转诊');
  else if (held) more.push('降级须医生确认');
  else if (words.length && missing.length) more.push(`还缺 ${missing.length} 项`);
  facts(document.getElementById('grade-more'), more);
  list(
    document.getElementById('grade-reasons'),
    words.map((word) => word.text),
  );
  say(document, 'grade-missing', sheetNote(missing, held));
}

function headline(result, words, missing) {
  if (words.length) return words[0].text.replace(/ ?\d+\/\d+ ?mmHg$/, '');
  if (result.colour === 'unrated') return `还缺：${missing[0] || '资料'}`;
  return '没有需要关注的情况';
}

function sheetNote(missing, held) {
  const notes = [];
  if (missing.length) notes.push(`还缺：${missing.join('、')}。`);
  if (held) notes.push('现在按红管理，医生确认以前不降级。');
  return notes.join('');
}

function say(document, id, text) {
  const place = document.getElementById(id);
  if (place && place.textContent !== text) place.textContent = text;
}

/** Facts in one line with the drawn dot between them. */
export function facts(element, items) {
  if (!element) return;
  element.textContent = '';
  items.forEach((item, place) => {
    if (place) element.append(Object.assign(document.createElement('span'), { className: 'sep' }));
    element.append(Object.assign(document.createElement('span'), { className: 'nobr', textContent: item }));
  });
}

export function list(element, texts) {
  element.textContent = '';
  for (const text of texts) {
    const item = document.createElement('li');
    item.append(Object.assign(document.createElement('span'), { textContent: text }));
    element.append(item);
  }
}

/** Name and age beside the title. */
export function person(document, data, today) {
  const name = document.getElementById('person-name');
  const age = document.getElementById('person-age');
  name.textContent = data.name;
  age.textContent = `${ageOn(data.birth_date, today)} 岁`;
}

export function ageOn(birth, day) {
  return Number(day.slice(0, 4)) - Number(birth.slice(0, 4)) - (day.slice(5) < birth.slice(5) ? 1 : 0);
}

/** 上次 values beside the measured fields of a page that was made for nobody. */
export function lastValues(element, form, last) {
  for (const pair of element.querySelectorAll('fieldset[data-field~="sbp"]')) {
    const side = pair.querySelector('.f-side');
    if (last.sbp && last.dbp && side) {
      side.textContent = '';
      facts(side, [
        `上次 ${last.sbp.value}/${last.dbp.value}`,
        ...(last.sbp.on ? [monthDay(last.sbp.on)] : []),
      ]);
    }
  }
  for (const field of form.fields) {
    const side = element.querySelector(`[data-side="${field.key}"]`);
    const before = last[field.key];
    if (!side || !before || typeof before.value !== 'number' || !/^(int|dec)/.test(field.type)) continue;
    if (element.querySelector(`[data-field="${field.key}"] .stepper`)) continue; // the unit stands there
    side.textContent = `上次 ${field.type === 'dec1' && field.unit === 'kg' ? before.value.toFixed(1) : before.value}`;
  }
  knownHeight(element, last.height);
}

/** Height is measured once: a line of words that opens into the field. */
function knownHeight(element, before) {
  const group = element.querySelector('[data-field="height"]');
  const input = group?.querySelector('input');
  if (!before || !input || input.value !== '' || group.querySelector('.known')) return;
  const known = document.createElement('details');
  known.className = 'known';
  const line = document.createElement('summary');
  const words = document.createElement('span');
  words.append(
    '身高 ',
    Object.assign(document.createElement('b'), { textContent: String(before.value) }),
    ' cm',
  );
  line.append(
    words,
    Object.assign(document.createElement('span'), { className: 'f-act', textContent: '改' }),
  );
  const message = group.querySelector('.f-msg');
  known.append(line, ...[...group.childNodes].filter((node) => node !== message));
  group.prepend(known);
}

/** Medication as it was last time, to be changed where it changed. */
export function lastMeds(element, last) {
  const holder = element.querySelector('[data-field="meds"] .f-side');
  if (!holder || !last.meds?.on || holder.querySelector('[data-copied]')) return;
  const words = document.createElement('span');
  words.dataset.copied = '';
  words.textContent = `照上次 ${monthDay(last.meds.on)}`;
  holder.prepend(words);
}

/** 6月24日前 两周内 改: the next visit as a line that opens into the date field. */
export class NextVisit {
  constructor(element) {
    this.input = element.querySelector('[name="next_visit_on"]');
    this.hint = element.querySelector('#next-visit-hint');
    this.byHand = this.input.value !== '';
    this.line = document.createElement('button');
    this.line.type = 'button';
    this.line.className = 'card next-line';
    this.words = document.createElement('span');
    this.line.append(
      this.words,
      Object.assign(document.createElement('span'), { className: 'f-act', textContent: '改' }),
    );
    this.input.before(this.line);
    this.line.addEventListener('click', () => this.open());
    this.input.addEventListener('input', () => {
      this.byHand = this.input.value !== '';
    });
    if (this.byHand) this.open(false);
    else this.input.classList.add('put-away'); // not hidden: what is hidden is no part of the form
  }

  open(focus = true) {
    this.line.hidden = true;
    this.input.classList.remove('put-away');
    if (focus) this.input.focus();
  }

  /** What the grade asks for; the day a person chose is left alone. */
  suggest(day, days, today) {
    this.input.min = today > day ? '' : today;
    if (this.byHand) return;
    this.input.value = day;
    this.words.textContent = '';
    const strong = Object.assign(document.createElement('b'), { textContent: `${monthDay(day, today)}前` });
    const quiet = Object.assign(document.createElement('span'), {
      className: 'second quiet',
      textContent: within(days),
    });
    this.words.append(strong, ' ', quiet);
  }

  /** A date given before: of a draft or of the visit being corrected. */
  keep() {
    this.byHand = this.input.value !== '';
    if (this.byHand) this.open(false);
  }
}

export function dated(iso, today) {
  return `${monthDay(iso, today)} ${weekday(iso)}前`;
}
