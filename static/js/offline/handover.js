// Records in a QR code: /handover#<base64url of {"sealed": […]}>. They travel behind the #, which no server
// and no log ever sees, and leave the address bar at once. Several codes, one after the other, add up.

const brought = new Map(); // op_id -> entry
let hearing = false;

/** Called for this page, and again when it was swapped. */
export function start() {
  if (!hearing) {
    hearing = true;
    window.addEventListener('hashchange', read); // the next code, opened in the same tab
    document.addEventListener('submit', send);
  }
  read();
}

function read(event) {
  if (!document.getElementById('handed')) return;
  // Of two codes opened at once the address bar only knows the second.
  const packed = new URL(event?.newURL ?? location.href).hash.slice(1);
  if (packed) {
    history.replaceState(history.state, '', location.pathname + location.search);
    const entries = unpack(packed);
    document.getElementById('unreadable').hidden = Boolean(entries);
    for (const entry of entries || []) brought.set(entry.op_id, entry);
  }
  document.getElementById('handed').hidden = !brought.size;
  document.getElementById('by-file').hidden = brought.size > 0; // one thing at a time
  document.querySelector('#handed [data-count]').textContent = String(brought.size);
}

function send(event) {
  if (event.target.id !== 'handed-form') return;
  event.target.elements.sealed.value = JSON.stringify({ sealed: [...brought.values()] });
}

/**
 * The sealed entries inside the text of a code; null when there is none to be found in it.
 * @param {string} packed base64url without padding
 */
export function unpack(packed) {
  try {
    const binary = atob(packed.replace(/-/g, '+').replace(/_/g, '/'));
    const bytes = Uint8Array.from(binary, (ch) => ch.charCodeAt(0));
    const { sealed } = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    const whole = Array.isArray(sealed) && sealed.length && sealed.every((one) => one?.op_id);
    return whole ? sealed : null;
  } catch {
    return null;
  }
}
