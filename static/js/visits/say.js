// One line at the top of the form: what stands in the way, or what the doctor should know.

import { icon } from '../offline/notice.js';
import { act } from '../offline/opforms.js';

/**
 * @param {'fault' | 'warn'} kind
 * @param {string} text one line each
 * @param {{words: string, run: () => void}} [action] the one thing that can be done about it
 */
export function say(document, kind, text, action) {
  const box = document.createElement('div');
  box.className = `message ${kind} boxed`;
  box.setAttribute('role', kind === 'fault' ? 'alert' : 'status');
  if (kind === 'warn') box.dataset.grade = 'yellow';
  const shape = () => Object.assign(document.createElement('i'), { className: 'shape' });
  const words = Object.assign(document.createElement('span'), { className: 'lines', textContent: text });
  box.append(kind === 'warn' ? shape() : icon('circle-alert'), words);
  if (action) act(box, action);
  document.getElementById('page-says').replaceChildren(box);
  box.scrollIntoView({ block: 'nearest' });
}
