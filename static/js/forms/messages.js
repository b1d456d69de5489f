// Findings shown in words beside their fields and counted on top.

/** Key of the field a finding belongs to: sbp of /answers/sbp, visited_at of /visited_at. */
export function keyOf(pointer) {
  const parts = pointer.split('/');
  return parts[1] === 'answers' ? parts[2] || '' : parts[1];
}

/** @returns {HTMLElement|null} where messages about a key are written */
export function placeOf(element, key) {
  return element.querySelector(`[data-msg~="${CSS.escape(key)}"]`);
}

function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `/static/vendor/sprite.svg#${name}`);
  svg.append(use);
  return svg;
}

/** Words broken at their clauses, never inside one. */
function clauses(holder, tag, text) {
  for (const clause of text.match(/[^，。]+[，。]*/g) || []) {
    holder.append(Object.assign(document.createElement(tag), { className: 'nobr', textContent: clause }));
  }
}

/** One line: circled mark for a refusal, the shape of the tone for a warning. */
export function line(finding, refused) {
  const made = document.createElement('p');
  made.className = `message ${refused ? 'fault' : 'warn'}`;
  if (refused) {
    made.append(icon('circle-alert'));
  } else {
    made.dataset.grade = finding.code === 'emergency_value' ? 'red' : 'yellow';
    made.append(Object.assign(document.createElement('i'), { className: 'shape' }));
  }
  const words = document.createElement('span');
  // the first sentence of an emergency is said loudest
  const loud = made.dataset.grade === 'red' ? finding.message.indexOf('。') + 1 : 0;
  clauses(words, 'b', finding.message.slice(0, loud));
  clauses(words, 'span', finding.message.slice(loud));
  made.append(words);
  return made;
}

const RANK = { emergency_value: 0, unusual: 2 };

/**
 * Write findings into the page; per place the first refusal, else the gravest warning.
 * @param {HTMLFormElement} element
 * @param {Array<object>} errors those that may be shown yet
 * @param {Array<object>} warnings
 * @param {(fix: object) => void} applyFix
 */
export function show(element, errors, warnings, applyFix) {
  const refused = new Map();
  for (const error of errors) {
    const place = placeOf(element, keyOf(error.pointer));
    if (place && !refused.has(place)) refused.set(place, error);
  }
  const warned = new Map();
  for (const warning of warnings) {
    const place = placeOf(element, keyOf(warning.pointer));
    const rank = RANK[warning.code] ?? 1;
    if (place && !(warned.has(place) && (RANK[warned.get(place).code] ?? 1) <= rank))
      warned.set(place, warning);
  }
  for (const place of element.querySelectorAll('[data-msg]')) {
    write(place, refused.get(place), warned.get(place), applyFix);
  }
  markInvalid(element, new Set(errors.map((error) => keyOf(error.pointer))));
}

function write(place, error, warning, applyFix) {
  const finding = error || warning;
  const said = finding ? `${finding.code} ${finding.message}` : '';
  // unchanged words are left alone, else a screen reader says them at every keystroke
  if (place.dataset.said === said) return;
  place.dataset.said = said;
  place.textContent = '';
  if (!finding) return;
  place.append(line(finding, Boolean(error)));
  if (error?.fix) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'btn soft low wide';
    button.textContent = error.fix.zh;
    button.addEventListener('click', () => applyFix(error.fix));
    place.append(button);
  }
}

function markInvalid(element, keys) {
  for (const control of element.elements) {
    if (!control.name) continue;
    const wrong = keys.has(control.name);
    const chip = control.closest('.chip');
    if (chip) chip.classList.toggle('refused', wrong);
    else if (wrong) control.setAttribute('aria-invalid', 'true');
    else control.removeAttribute('aria-invalid');
  }
}

/** The card on top: how many, a link to each; focus goes there. */
export function summarise(element, errors, why) {
  const card = element.querySelector('#form-errors');
  card.hidden = errors.length === 0;
  card.querySelector('[data-count]').textContent = `有 ${errors.length} 处要改`;
  const reason = card.querySelector('[data-why]');
  reason.hidden = !why;
  reason.textContent = why || '';
  const list = card.querySelector('ul');
  list.textContent = '';
  for (const error of errors) {
    const item = document.createElement('li');
    const link = document.createElement('a');
    link.href = `#m-${keyOf(error.pointer)}`;
    link.dataset.goto = error.pointer;
    link.textContent = error.message;
    item.append(link);
    list.append(item);
  }
  return card;
}
