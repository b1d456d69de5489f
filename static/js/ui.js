// Small manners of every page: sheets, the back arrow, showing a password. All of it on the document, so
// that a page swapped in later behaves the same.

export function start() {
  document.addEventListener('click', (event) => {
    const target = event.target;
    if (!(target instanceof Element)) return;
    const opener = target.closest('[data-sheet]');
    if (opener) {
      event.preventDefault();
      document.getElementById(opener.dataset.sheet)?.showModal?.();
      return;
    }
    // A click on the dialog itself is a click on its backdrop: everything inside has an element of its own.
    if (target instanceof HTMLDialogElement && target.classList.contains('sheet') && outside(event, target)) {
      target.close();
      return;
    }
    const back = target.closest('a[data-back]');
    if (back && cameFromHere()) {
      event.preventDefault();
      history.back();
      return;
    }
    const reveal = target.closest('[data-reveal]');
    if (reveal) show(reveal);
  });
  document.addEventListener('pointerdown', drag);
}

/** What works only with script appears with it. Called again for a page swapped in. */
export function dress() {
  for (const button of document.querySelectorAll('[data-reveal][hidden]')) button.hidden = false;
}

function outside(event, dialog) {
  const box = dialog.getBoundingClientRect();
  return (
    event.clientY < box.top ||
    event.clientY > box.bottom ||
    event.clientX < box.left ||
    event.clientX > box.right
  );
}

function cameFromHere() {
  return history.length > 1 && document.referrer.startsWith(`${location.origin}/`);
}

function show(button) {
  const field = document.getElementById(button.dataset.reveal);
  if (!field) return;
  const open = field.type === 'password';
  field.type = open ? 'text' : 'password';
  button.setAttribute('aria-pressed', String(open));
  button.setAttribute('aria-label', open ? '隐藏密码' : '显示密码');
}

/** Pull a sheet down by its grab bar to close it. */
function drag(event) {
  const grab = event.target instanceof Element && event.target.closest('.sheet-grab, .sheet-head h2');
  const sheet = grab?.closest('dialog');
  if (!sheet) return;
  const from = event.clientY;
  const move = (e) => {
    sheet.style.transform = `translateY(${Math.max(0, e.clientY - from)}px)`;
  };
  const end = (e) => {
    document.removeEventListener('pointermove', move);
    document.removeEventListener('pointerup', end);
    document.removeEventListener('pointercancel', end);
    sheet.style.transform = '';
    if (e.clientY - from > 80) sheet.close();
  };
  document.addEventListener('pointermove', move);
  document.addEventListener('pointerup', end);
  document.addEventListener('pointercancel', end);
}
