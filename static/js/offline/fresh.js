// The page before us was shown from the phone; a fresher one has come. Swap it in, unless somebody is typing.

import * as notice from './notice.js';
import * as pages from './pages.js';

let touched = false;
let whenSwapped = () => {};

/** @param {() => void} after called when a fresh page stands */
export function start(after) {
  whenSwapped = after;
  document.addEventListener('input', () => {
    touched = true;
  });
}

/** Somebody is in the middle of something that a swap would take out of their hands. */
export function busy() {
  if (document.querySelector('dialog[open], #main [data-keep]')) return true;
  const focus = document.activeElement;
  if (focus && /^(INPUT|TEXTAREA|SELECT)$/.test(focus.tagName)) return true;
  return touched;
}

/** What was typed is saved: the page may be swapped again. */
export function settled() {
  touched = false;
}

/** Does a message about `url` speak of this page? */
export function isHere(url) {
  return pages.pageKey(url) === pages.pageKey(location.href);
}

/** Show the stored page that just came in, now or when the reader asks for it. */
export async function offer({ unlessSameRev = false } = {}) {
  const record = await pages.get(location.href);
  if (!record || (unlessSameRev && record.rev === shownRev()?.content)) return;
  if (busy()) {
    notice.show('fresh', { text: '这一页有更新。', action: '看新的', run: () => swap(record.html) });
  } else {
    swap(record.html);
  }
}

/** Ask the server for this page again: for pages that are not kept on the phone. */
export async function reload() {
  if (busy()) return;
  try {
    const response = await fetch(location.href, {
      headers: { Accept: 'text/html', 'X-Sync': '1' },
      cache: 'no-store',
    });
    const ours = response.ok && !response.redirected && response.headers.get('X-Page-User');
    if (ours && ours === document.body.dataset.user && !busy()) swap(await response.text());
  } catch {
    // no network: the page stays, and the strip says so
  }
}

export function swap(html) {
  const next = new DOMParser().parseFromString(html, 'text/html');
  if (!next.getElementById('main') || next.body.dataset.user !== document.body.dataset.user) return;
  const carried = notice.standing().filter((box) => box.id !== 'notice-fresh');
  const unfolded = openDetails();
  const strip = document.getElementById('strip');
  const top = scrollY;
  document.title = next.title;
  const rev = next.querySelector('meta[name="nx-page"]');
  if (rev) {
    shownRev()?.remove();
    document.head.append(document.adoptNode(rev));
  }
  for (const child of [...document.body.children]) if (child !== strip) child.remove();
  for (const child of [...next.body.children]) {
    if (child.id !== 'strip') document.body.append(document.adoptNode(child));
  }
  document.body.className = next.body.className;
  for (const box of carried.reverse()) notice.place(box);
  for (const place of unfolded) document.querySelectorAll('details')[place]?.setAttribute('open', '');
  touched = false;
  scrollTo(0, top);
  window.htmx?.process(document.body);
  whenSwapped();
}

function shownRev() {
  return document.querySelector('meta[name="nx-page"]');
}

function openDetails() {
  return [...document.querySelectorAll('details')].flatMap((element, place) => (element.open ? [place] : []));
}
