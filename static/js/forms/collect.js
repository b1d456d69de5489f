// Answers out of a form on the page and back into it. The reading of texts is the twin of app/forms/html.py.
import { DECIMALS, stripped } from './values.js';

const NUMBER = /^[+-]?[0-9]{1,12}(\.[0-9]{1,6})?$/;
const FULL_WIDTH = '０１２３４５６７８９．－＋';
const HALF_WIDTH = '0123456789.-+';

/**
 * Typed answers out of texts by name; what cannot be read stays the text it is, for check() to name.
 * @param {object} form definition
 * @param {Object<string, string[]>} lists
 */
export function fromStrings(form, lists) {
  const answers = {};
  for (const field of form.fields) {
    const texts = lists[field.key] || [];
    if (field.type === 'list') {
      const rows = rowsOf(field, lists);
      if (rows.length) answers[field.key] = rows;
    } else if (field.choices) {
      Object.assign(answers, choiceAnswers(field, texts));
    } else {
      const value = typed(field, texts);
      if (value !== null && !(field.key in answers)) answers[field.key] = value;
    }
  }
  return answers;
}

function typed(field, texts) {
  if (field.type === 'multi') {
    const chosen = texts.filter((text) => text !== '').map((text) => codeOf(field, text));
    return chosen.length || field.empty_ok ? chosen : null;
  }
  const text = texts.length ? texts[texts.length - 1] : '';
  if (stripped(text) === '') return null;
  if (field.type in DECIMALS) return numberOf(text);
  if (field.type === 'enum' || field.type === 'bool') return codeOf(field, text);
  return field.type === 'date' ? stripped(text) : text.replace(/\r\n/g, '\n');
}

function numberOf(text) {
  const figure = stripped(text).replace(/[０-９．－＋]/g, (letter) => HALF_WIDTH[FULL_WIDTH.indexOf(letter)]);
  return NUMBER.test(figure) ? Number(figure) : text;
}

function codeOf(field, text) {
  const option = field.options.find((one) => String(one.code) === text);
  return option ? option.code : text;
}

function choiceAnswers(field, texts) {
  const text = texts.length ? texts[texts.length - 1] : '';
  if (!text) return {};
  const choice = field.choices.find((one) => one.value === text);
  return choice ? { ...choice.answers } : { [field.key]: text };
}

/** The button that stands for these answers: of those that agree, the one that says most. */
export function choiceOf(field, answers) {
  const fitting = field.choices.filter((choice) =>
    Object.keys(choice.answers).every((key) => answers[key] === choice.answers[key]),
  );
  const size = (choice) => Object.keys(choice.answers).length;
  return fitting.reduce((best, one) => (best && size(best) >= size(one) ? best : one), null);
}

function rowsOf(field, lists) {
  const pattern = new RegExp(`^${field.key}-([0-9]{1,3})-`);
  const places = new Set();
  for (const name of Object.keys(lists)) {
    const match = pattern.exec(name);
    if (match) places.add(Number(match[1]));
  }
  const rows = [];
  for (const place of Array.from(places).sort((a, b) => a - b)) {
    const row = {};
    for (const item of field.item) {
      const value = typed(item, lists[`${field.key}-${place}-${item.key}`] || []);
      if (value !== null) row[item.key] = value;
    }
    if (Object.keys(row).length) rows.push(row);
  }
  return rows;
}

/** Texts by name of everything filled in; what is hidden is not part of the form. */
export function textsOf(element) {
  const lists = {};
  for (const control of element.elements) {
    const usable = control.name && control.type !== 'submit' && control.type !== 'button';
    if (!usable || control.closest('[hidden]:not(.entry-body)')) continue;
    if ((control.type === 'radio' || control.type === 'checkbox') && !control.checked) continue;
    lists[control.name] = lists[control.name] || [];
    // a number field hides what it cannot read
    lists[control.name].push(control.validity?.badInput ? '?' : control.value);
  }
  return lists;
}

/** Typed answers of the form element. */
export function collect(element, form) {
  return fromStrings(form, textsOf(element));
}

/** The header outside the answers: mode, visited_on, next_visit_on; null where nothing is given. */
export function header(element) {
  const lists = textsOf(element);
  const one = (name) => lists[name]?.[0] || null;
  return { mode: one('mode'), visited_on: one('visited_on'), next_visit_on: one('next_visit_on') };
}

/** Put answers of a draft or a correction into the fields; lists are the work of rows.js. */
export function fill(element, form, answers) {
  for (const field of form.fields) {
    if (field.type === 'list' || field.part_of) continue;
    let value = answers[field.key];
    if (field.choices) {
      const choice = choiceOf(field, answers);
      value = choice ? choice.value : null;
    }
    setControls(element, field.key, value);
  }
}

/** Put a header back. */
export function fillHeader(element, values) {
  for (const name of ['mode', 'visited_on', 'next_visit_on']) {
    if (values[name]) setControls(element, name, values[name]);
  }
}

/** Set every control of a name: a text, or the radios and boxes whose value is among the values. */
export function setControls(element, name, value) {
  const wanted = (Array.isArray(value) ? value : [value]).map((one) => String(one));
  for (const control of element.elements) {
    if (control.name !== name) continue;
    if (control.type === 'radio' || control.type === 'checkbox')
      control.checked = wanted.includes(control.value);
    else control.value = value === null || value === undefined ? '' : String(value);
    const known = control.closest('details');
    if (known && value !== null && value !== undefined && !Array.isArray(value)) known.open = true;
  }
}
