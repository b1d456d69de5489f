// The fields of a form while a refused record is mended in it: filling them, the server's words below them, and
// what stands on the server beside what was written here.

import { localIso } from '../when.js';
import { icon } from './notice.js';
import { act } from './opforms.js';

/** {rating: {overall: 5}} → {'rating.overall': 5}: fields have flat names. */
export function flat(payload) {
  const found = {};
  for (const [name, value] of Object.entries(payload)) {
    if (value && typeof value === 'object' && !Array.isArray(value)) {
      for (const [inner, one] of Object.entries(value)) found[`${name}.${inner}`] = one;
    } else {
      found[name] = value;
    }
  }
  return found;
}

const namedIn = (form, name) => [...form.elements].filter((field) => field.name === name);

export function fill(form, name, value) {
  for (const field of namedIn(form, name)) {
    if (field.type === 'checkbox') {
      field.checked = ticked(field, value);
    } else if (field.type === 'radio') {
      field.checked = typeof value === 'boolean' ? isYes(field) === value : String(value) === field.value;
    } else if (field.type === 'datetime-local') {
      field.value = localIso(new Date(value)).slice(0, 16);
    } else if (field.type !== 'hidden') {
      field.value = Array.isArray(value) ? value.join('、') : value;
    }
  }
}

function ticked(field, value) {
  if (!Array.isArray(value)) return value === true || value === field.value;
  return value.includes(field.value) || (!value.length && 'none' in field.dataset);
}

function isYes({ value }) {
  return value === 'true' || value === '1';
}

// ---- both sides ----

/** What each question of a form says now: {words, fields: [[field, value, checked]]} by its name. */
export function standing(form) {
  const found = new Map();
  for (const field of form.elements) {
    if (!field.name || field.type === 'hidden' || field.type === 'submit') continue;
    if (!found.has(field.name)) found.set(field.name, { words: words(form, field.name), fields: [] });
    found.get(field.name).fields.push([field, field.value, field.checked]);
  }
  return found;
}

function words(form, name) {
  const fields = namedIn(form, name);
  if (/^(radio|checkbox)$/.test(fields[0].type)) {
    const chosen = fields.filter((field) => field.checked);
    return chosen.map((field) => field.closest('label')?.textContent.trim()).join('、');
  }
  if (fields[0].options) return fields[0].value && fields[0].selectedOptions[0].textContent.trim();
  return fields[0].value.trim();
}

/** Below each question that was answered otherwise on the server: how. @returns {number} how many */
export function markDiffering(form, theirs) {
  let count = 0;
  for (const [name, { words: there, fields }] of theirs) {
    if (words(form, name) === there) continue;
    count += 1;
    const box = message('info', there ? `服务器上是“${there}”` : '服务器上没有填');
    const back = () => {
      for (const [field, value, checked] of fields) {
        if (/^(radio|checkbox)$/.test(field.type)) field.checked = checked;
        else field.value = value;
      }
      box.remove();
      form.dispatchEvent(new Event('input', { bubbles: true }));
    };
    act(box, { words: '用服务器的', run: back });
    below(fields[0][0], box);
  }
  return count;
}

// ---- faults ----

/** @returns {boolean} false: the form has no such field */
export function showFault(form, { pointer = '', message: text, code }) {
  const path = pointer.replace(/^\/payload\//, '').split('/');
  const [field] = [...namedIn(form, path.join('.')), ...namedIn(form, path[0])];
  if (!field || field.type === 'hidden') return false;
  field.setAttribute('aria-invalid', 'true');
  below(field, fault(text || code));
  for (let fold = field.closest('details'); fold; fold = fold.parentElement.closest('details'))
    fold.open = true;
  field.addEventListener('input', () => field.removeAttribute('aria-invalid'), { once: true });
  return true;
}

/** After a single field, or after the whole group of chips. */
function below(field, box) {
  box.classList.add('mend-note');
  (field.closest('.chips') || field.closest('.card.list') || field).insertAdjacentElement('afterend', box);
}

export function fault(text) {
  return message('fault', text);
}

function message(kind, text) {
  const box = Object.assign(document.createElement('div'), { className: `message ${kind}` });
  const said = Object.assign(document.createElement('span'), { textContent: text });
  box.append(icon(kind === 'fault' ? 'circle-alert' : 'info'), said);
  return box;
}
