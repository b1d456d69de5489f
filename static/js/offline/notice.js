// One-line notices at the top of a page, with at most one thing to do. They stay until they are not true.

/**
 * Show or replace the notice `id`. Without `action` it is only read.
 * @param {string} id
 * @param {{text: string, kind?: 'info' | 'warn' | 'fault', action?: string, run?: () => void,
 *   dismiss?: () => void}} what
 */
export function show(id, { text, kind = 'info', action, run, dismiss }) {
  const old = document.getElementById(`notice-${id}`);
  const box = document.createElement('div');
  box.id = `notice-${id}`;
  box.className = `message ${kind} boxed`;
  box.style.alignItems = 'center';
  box.setAttribute('role', kind === 'fault' ? 'alert' : 'status');
  const words = document.createElement('span');
  words.textContent = text;
  box.append(icon(kind === 'fault' ? 'circle-alert' : 'info'), words);
  if (action || dismiss) box.classList.add('acts');
  if (action) box.append(button(action, run));
  if (dismiss) {
    box.append(
      button('不用了', () => {
        hide(id);
        dismiss();
      }),
    );
  }
  if (old) old.replaceWith(box);
  else place(box);
}

export function hide(id) {
  document.getElementById(`notice-${id}`)?.remove();
}

/** The notices that stand now, to be carried over when a fresh page is swapped in. */
export function standing() {
  return [...document.querySelectorAll('#main > [id^="notice-"]')];
}

export function place(box) {
  const main = document.getElementById('main');
  if (main) main.prepend(box);
}

/** One of the icons in frame.svg. */
export function icon(name, size = '') {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', size ? `icon ${size}` : 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `/static/vendor/frame.svg#${name}`);
  svg.append(use);
  return svg;
}

function button(words, run) {
  const element = document.createElement('button');
  element.type = 'button';
  element.className = 'btn text low right';
  element.textContent = words;
  element.addEventListener('click', run);
  return element;
}
