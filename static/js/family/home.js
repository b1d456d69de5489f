// The family's home: large letters without leaving the page, reading aloud, orders that wait on this phone.

import * as overlay from '../offline/overlay.js';
import { paint } from '../orders/list.js';

export function start(page) {
  careToggle(page);
  listen(page);
}

/** app.js changes the letters at once; here only the server is told, and the button made ready to go back. */
function careToggle(page) {
  const form = page.querySelector('form[data-care-home]');
  if (!form) return;
  const field = form.elements.on;
  field.value = document.documentElement.hasAttribute('data-care') ? '0' : '1';
  form.addEventListener('submit', (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    const chosen = new URLSearchParams({ on: field.value });
    // after app.js, which listens on the document, has read it
    setTimeout(() => {
      field.value = chosen.get('on') === '1' ? '0' : '1';
    });
    fetch(form.action, { method: 'POST', body: chosen, redirect: 'manual' }).catch(() => {});
  });
}

/** 听: the card read aloud, where the phone can. A second tap stops it. */
function listen(page) {
  if (!window.speechSynthesis) return;
  for (const button of page.querySelectorAll('[data-listen]')) {
    button.hidden = false;
    button.addEventListener('click', () => {
      if (speechSynthesis.speaking) {
        speechSynthesis.cancel();
        return;
      }
      const words = new SpeechSynthesisUtterance(spoken(button.closest('[data-speak]')));
      words.lang = 'zh-CN';
      words.rate = 0.9;
      speechSynthesis.speak(words);
    });
  }
}

function spoken(card) {
  const parts = card.querySelectorAll('.badge, .headline, .advice');
  return [...parts]
    .filter((part) => part.offsetParent !== null)
    .map((part) => part.textContent.trim().replace(/(\d+)\/(\d+)/, '高压 $1，低压 $2'))
    .join('。');
}

overlay.register('family', paint);
