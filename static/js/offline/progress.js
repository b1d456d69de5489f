// How far a first pack has come, on the page itself: what is here can be used meanwhile, so it stands above it.

import * as notice from './notice.js';

const EVERY_MS = 250; // a bar that moves four times a second moves
const WORDS = '正在下载老人资料，现在就能用；下载完，没有信号也能用。';

let shown = null; // {bar, count}
let painted_at = 0;
let due = 0; // the timer of a step that came too soon after the last

/**
 * @param {number} total 0: nothing is coming any more
 * @param {(done: number, total: number) => void} [told] who else says it, whenever it is painted
 */
export function show(done, total, told) {
  clearTimeout(due);
  if (!total) {
    shown = null;
    notice.hide('pack');
    return;
  }
  if (!shown?.bar.isConnected) shown = build(total);
  const now = performance.now();
  const wait_ms = painted_at + EVERY_MS - now;
  if (done && done < total && wait_ms > 0) {
    due = setTimeout(show, wait_ms, done, total, told);
    return;
  }
  painted_at = now;
  shown.bar.max = total;
  shown.bar.value = done;
  shown.count.textContent = `${done}/${total}`;
  told?.(done, total);
}

function build(total) {
  const box = Object.assign(document.createElement('div'), { id: 'notice-pack', className: 'card' });
  const body = Object.assign(document.createElement('div'), { className: 'card-body progress' });
  const words = Object.assign(document.createElement('div'), { className: 'progress-words' });
  const says = Object.assign(document.createElement('span'), { textContent: WORDS });
  const count = document.createElement('b');
  words.append(says, count);
  // Its own element tells a reader how far it is, when asked; the words are not read again at every step.
  const bar = Object.assign(document.createElement('progress'), { max: total, value: 0 });
  bar.setAttribute('aria-label', '下载老人资料');
  body.append(words, bar);
  box.append(body);
  document.getElementById('notice-pack')?.remove();
  notice.place(box);
  return { bar, count };
}
