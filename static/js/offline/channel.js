// News between the pages, the worker and the modules of one page. Every message is {t: 'outbox' | 'net' | …}.

const NAME = 'nuanxun';
let channel;

function open() {
  if (channel === undefined) {
    channel = typeof BroadcastChannel === 'function' ? new BroadcastChannel(NAME) : null;
    if (channel?.unref) channel.unref(); // Node would wait for it for ever
  }
  return channel;
}

/** Tell other pages and the worker. */
export function postOthers(message) {
  open()?.postMessage(message);
}

/** Tell everybody, this page's own modules included. */
export function post(message) {
  postOthers(message);
  if (typeof window !== 'undefined') {
    window.dispatchEvent(new CustomEvent(NAME, { detail: message }));
  }
}

/** Hear what other pages, the worker and this page say. */
export function listen(hear) {
  open()?.addEventListener('message', (event) => hear(event.data));
  if (typeof window !== 'undefined') {
    window.addEventListener(NAME, (event) => hear(event.detail));
  }
}
