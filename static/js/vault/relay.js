// Handing the open key from one realm of this browser to another. The worker forgets it whenever it is
// stopped, a page whenever it is left; as long as one of them lives, the others need not ask for the PIN.

import * as vault from './vault.js';

const PATIENCE_MS = 600; // a page frozen in the background never answers

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
  const container = navigator.serviceWorker;
  if (!container) return null;
  const worker = container.controller || (await container.getRegistration().catch(() => null))?.active;
  return worker ? ask(worker, PATIENCE_MS * 2) : null;
}

/** Give the worker the key, or take it away; resolves when it has it. */
export async function tellWorker(message) {
  const registration = await navigator.serviceWorker?.getRegistration().catch(() => undefined);
  const worker = navigator.serviceWorker?.controller || registration?.active;
  if (worker) await answerOf(worker, message, PATIENCE_MS);
}

export function handOver() {
  return tellWorker({ t: 'key', held: vault.holding() });
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
  const held = vault.holding() || (await askPages(event.source?.id));
  vault.adopt(held);
  event.ports[0]?.postMessage(vault.holding());
}

/** Ask every page of ours, the one being left included; the first that holds the key is enough. */
async function askPages(but) {
  const pages = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
  const asked = pages.filter((page) => page.id !== but).map((page) => ask(page, PATIENCE_MS));
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
