// What cannot be taken back is asked about first: a submit button with data-confirm names the sheet that
// asks, data-what tells it about whom. Without script the form goes as any other.

export function start() {
  document.addEventListener('click', (event) => {
    const button = event.target instanceof Element && event.target.closest('button[data-confirm]');
    const sheet = button && document.getElementById(button.dataset.confirm);
    if (!sheet?.showModal) return;
    event.preventDefault();
    if (button.form.reportValidity()) ask(sheet, button);
  });
}

function ask(sheet, button) {
  const what = sheet.querySelector('[data-part="what"]');
  if (what) what.textContent = button.dataset.what || '';
  sheet.returnValue = '';
  const answered = () => {
    if (sheet.returnValue === 'yes') HTMLFormElement.prototype.submit.call(button.form);
  };
  sheet.addEventListener('close', answered, { once: true });
  sheet.showModal();
}
