// Handing the open key from one realm of this browser to another. The worker forgets it whenever it is
// stopped, a page whenever it is left; as long as one of them lives, the others need not ask for the PIN.

import * as vault from './vault.js';

const INSTALL_MS = 20000;
const PAGE_MS = 1500; // a page frozen in the background never answers
const WORKER_MS = 10000; // a worker always does, if only to say that it has nothing; it may have to start first

// ---- in a page ----

/** Answer the worker, and ask it. Called once, as early as possible: the worker may be waiting. */
export function startInPage() {
  vault.askWith(askWorker);
  const container = navigator.serviceWorker;
  if (!container) return;
  container.addEventListener('message', (event) => {
    if (event.data?.t !== 'key?') return;
    event.ports[0]?.postMessage(vault.holding());
  });
  container.startMessages();
}

async function askWorker() {
  const worker = await activeWorker();
  return worker ? ask(worker, WORKER_MS) : null;
}

/** Not the controller: WebKit leaves a page that loads while the first worker starts without one for good. */
async function activeWorker() {
  return (await navigator.serviceWorker?.getRegistration().catch(() => undefined))?.active;
}

/** Give the worker the key, or take it away; resolves when it has it. */
export async function tellWorker(message) {
  const worker = await activeWorker();
  if (worker) await answerOf(worker, message, WORKER_MS);
}

/** Before this page is left: a worker that is still being installed is waited for, or the key would be lost. */
export async function handOver() {
  const { serviceWorker } = navigator;
  const registered = await serviceWorker?.getRegistration().catch(() => undefined);
  if (registered) await Promise.race([serviceWorker.ready, new Promise((go) => setTimeout(go, INSTALL_MS))]);
  await tellWorker({ t: 'key', held: vault.holding() });
}

// ---- in the worker ----

export function startInWorker() {
  vault.askWith(askPages);
  self.addEventListener('message', (event) => {
    const message = event.data;
    if (message?.t === 'key?') event.waitUntil(reply(event));
    if (message?.t === 'key') vault.adopt(message.held);
    if (message?.t === 'lock') vault.drop();
    if (message?.t === 'key' || message?.t === 'lock') event.ports[0]?.postMessage(true);
  });
}

async function reply(event) {
  // Only what is here, or what another page than the asker holds.
  const held = await vault.open(() => askPages(event.source?.id)).catch(() => null);
  event.ports[0]?.postMessage(held);
}

/** Ask every page of ours, the one being left included; the first that holds the key is enough. */
async function askPages(but) {
  const pages = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
  const asked = pages.filter((page) => page.id !== but).map((page) => ask(page, PAGE_MS));
  if (!asked.length) return null;
  return Promise.any(
    asked.map(async (answer) => (await answer) || Promise.reject(new Error('locked'))),
  ).catch(() => null);
}

// ---- both ----

async function ask(whom, patience_ms) {
  const held = await answerOf(whom, { t: 'key?' }, patience_ms);
  return held?.key ? held : null;
}

function answerOf(whom, message, patience_ms) {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    const timer = setTimeout(() => done(null), patience_ms);
    const done = (answer) => {
      clearTimeout(timer);
      port1.close();
      resolve(answer);
    };
    port1.onmessage = (event) => done(event.data);
    whom.postMessage(message, [port2]);
  });
}
