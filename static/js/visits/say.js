// One line at the top of the form: what stands in the way, or what the doctor should know.

import { icon } from '../offline/notice.js';

/** @param {'fault' | 'warn'} kind */
export function say(document, kind, text) {
  const box = document.createElement('div');
  box.className = `message ${kind} boxed`;
  box.setAttribute('role', kind === 'fault' ? 'alert' : 'status');
  if (kind === 'warn') box.dataset.grade = 'yellow';
  const shape = () => Object.assign(document.createElement('i'), { className: 'shape' });
  const words = Object.assign(document.createElement('span'), { textContent: text });
  box.append(kind === 'warn' ? shape() : icon('circle-alert'), words);
  document.getElementById('page-says').replaceChildren(box);
  box.scrollIntoView({ block: 'nearest' });
}
