// Three taps to an order: service, time, send. Without this script the same form shows everything at once.

import * as pages from '../offline/pages.js';
import { headOf } from '../offline/patient_page.js';
import { isoDay, monthDay } from '../when.js';
import { block, moment, tomorrow } from './words.js';

export async function start(page) {
  const form = page.getElementById('order-form');
  if (!form || form.dataset.started) return;
  form.dataset.started = '1';
  form.classList.add('scripted');
  times(form);
  kinds(page, form);
  search(page, form);
  contact(form);
  await person(page, form);
  for (const name of ['change', 'nx-restored']) form.addEventListener(name, () => summary(page, form));
  summary(page, form);
}

/** Real days, counted now. The helper fields lose their names: the payload knows only wanted_at. */
function times(form) {
  const next = tomorrow();
  for (const chip of form.querySelectorAll('input[name="wanted_at"][data-half]')) {
    chip.value = moment(next, chip.dataset.half);
    const label = chip.parentElement.querySelector('time');
    label.dateTime = next;
    label.textContent = monthDay(next);
  }
  const pick = form.querySelector('#pick-day');
  const panel = form.querySelector('#day-pick');
  const on = form.querySelector('#wanted-on');
  const hour = form.querySelector('#wanted-hour');
  const now = new Date();
  on.removeAttribute('name');
  hour.removeAttribute('name');
  on.min = isoDay(now);
  on.max = isoDay(new Date(now.getFullYear(), now.getMonth(), now.getDate() + Number(on.dataset.days)));
  const follow = () => {
    panel.hidden = !pick.checked;
    on.required = pick.checked;
    pick.value = on.value ? moment(on.value, hour.value) : 'pick';
  };
  for (const field of form.querySelectorAll('input[name="wanted_at"]'))
    field.addEventListener('change', follow);
  for (const field of [on, hour]) field.addEventListener('change', follow);
  form.addEventListener('nx-restored', follow);
  // Of an order to be mended: the day it was for, unless that has passed and must be chosen anew.
  form.addEventListener('nx-mend', ({ detail: { payload } }) => {
    const [day, time = ''] = String(payload.wanted_at).split('T');
    const half = form.querySelector(`input[name="wanted_at"][value="${CSS.escape(payload.wanted_at)}"]`);
    if (half || day < on.min || day > on.max) return;
    pick.checked = true;
    on.value = day;
    hour.value = time.startsWith('14') ? '14:00' : '09:00';
  });
  pick.addEventListener('change', () => on.showPicker && tryPicker(on));
  follow();
}

function tryPicker(field) {
  try {
    field.showPicker();
  } catch {
    field.focus();
  }
}

function kinds(page, form) {
  const nav = page.getElementById('kinds');
  nav.hidden = false;
  nav.addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (button) show(form, button.dataset.kind);
  });
  const showChosen = () => {
    const chosen = form.querySelector('input[name="service"]:checked')?.closest('.pick');
    show(form, !chosen || 'popular' in chosen.dataset ? 'popular' : chosen.dataset.kind);
  };
  form.addEventListener('nx-restored', showChosen);
  showChosen();
}

function show(form, kind) {
  for (const button of form.querySelectorAll('#kinds button')) {
    button.setAttribute('aria-current', String(button.dataset.kind === kind));
  }
  for (const pick of form.querySelectorAll('.pick')) {
    pick.hidden = kind === 'popular' ? !('popular' in pick.dataset) : pick.dataset.kind !== kind;
  }
  form.querySelector('#none-found').hidden = true;
}

function search(page, form) {
  const open = page.getElementById('find-open');
  const box = form.querySelector('#find');
  const field = form.querySelector('#find-q');
  const nav = form.querySelector('#kinds');
  open.hidden = false;
  const look = () => {
    const wanted = field.value.trim().toLowerCase();
    let found = 0;
    for (const pick of form.querySelectorAll('.pick')) {
      pick.hidden = wanted !== '' && !pick.dataset.find.toLowerCase().includes(wanted);
      if (!pick.hidden) found += 1;
    }
    form.querySelector('#none-found').hidden = found > 0;
  };
  open.addEventListener('click', () => {
    box.hidden = false;
    nav.hidden = true;
    field.focus();
    look();
  });
  form.querySelector('#find-close').addEventListener('click', () => {
    field.value = '';
    box.hidden = true;
    nav.hidden = false;
    show(form, 'popular');
  });
  field.addEventListener('input', look);
  field.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') event.preventDefault(); // it would send the order
  });
}

/** A fault inside the folded part must be seen. */
function contact(form) {
  const details = form.querySelector('#contact');
  for (const field of details.querySelectorAll('input, textarea')) {
    field.addEventListener('invalid', () => {
      details.open = true;
    });
  }
  const phone = form.querySelector('#phone');
  const follow = () => {
    form.querySelector('#phone-words').textContent = phone.value;
  };
  phone.addEventListener('input', follow);
  form.addEventListener('nx-restored', follow);
}

/** Whom it is for: switched by a chip, or, for staff, read from the stored page they came from. */
async function person(page, form) {
  const people = block('order-people', []);
  for (const chip of form.querySelectorAll('input[type="radio"][name="patient_id"]')) {
    chip.addEventListener('change', () =>
      fill(
        page,
        form,
        people.find((one) => one.id === chip.value),
      ),
    );
  }
  const id = new URLSearchParams(location.search).get('patient');
  const chip = [...form.querySelectorAll('input[type="radio"][name="patient_id"]')].find(
    (one) => one.value === id,
  );
  if (chip && !chip.checked) {
    chip.checked = true;
    fill(
      page,
      form,
      people.find((one) => one.id === id),
    );
  }
  const field = form.querySelector('input[type="hidden"][name="patient_id"]');
  if (!field || field.value || !id) return;
  const one = await fromPatientPage(id);
  if (!one) return;
  field.value = one.id;
  fill(page, form, one);
  form.dataset.next = `/patients/${one.id}`;
  form.hidden = false;
  page.getElementById('order-dock').hidden = false;
  page.getElementById('no-person')?.remove();
}

/** The page of this person as the phone keeps it; the worker answers only navigations, so it is read here. */
async function patientPage(url) {
  const kept = await pages.get(url).catch(() => undefined);
  if (kept) return kept.html;
  const answer = await fetch(url, { headers: { Accept: 'text/html', 'X-Sync': '1' } });
  return answer.ok && answer.headers.get('X-Page-User') === document.body.dataset.user ? answer.text() : '';
}

async function fromPatientPage(id) {
  try {
    const html = await patientPage(`/patients/${encodeURIComponent(id)}`);
    const stored = new DOMParser().parseFromString(html, 'text/html');
    const { name, phone, village } = headOf(stored);
    return {
      id: JSON.parse(stored.getElementById('patient-data').textContent).id,
      name,
      called: name,
      phone,
      address: village,
    };
  } catch {
    return null; // not on this phone: the page says where to begin
  }
}

function fill(page, form, one) {
  if (!one) return;
  form.dataset.patient = one.name;
  page.querySelector('.back-head h1').textContent = `给${one.called}点服务`;
  form.querySelector('#phone').value = one.phone;
  form.querySelector('#phone-words').textContent = one.phone;
  form.querySelector('#address').value = one.address;
  form.querySelector('#contact').open = !one.phone;
}

function summary(page, form) {
  const pick = form.querySelector('input[name="service"]:checked')?.closest('.pick');
  const time = form.querySelector('input[name="wanted_at"]:checked');
  const info = form.querySelector('#order-info');
  const sum = page.getElementById('order-sum');
  sum.hidden = !pick;
  if (!pick) return;
  const name = pick.querySelector('[data-part="name"]').textContent;
  const more = pick.querySelector('.pick-more');
  info.replaceChildren(...[...more.children].map((child) => child.cloneNode(true)));
  const what = page.getElementById('sum-what');
  what.textContent = name;
  const when = timeWords(form, time);
  if (when) {
    const dot = page.createElement('span');
    dot.className = 'sep';
    what.append(dot, when);
  }
  page.getElementById('sum-payer').textContent = more.dataset.payer;
  page
    .getElementById('sum-price')
    .replaceChildren(...[...pick.querySelector('.price').childNodes].map((n) => n.cloneNode(true)));
  form.dataset.label = `${name} 点服务`;
}

function timeWords(form, time) {
  if (!time) return '';
  if (time.id !== 'pick-day') return time.dataset.words;
  const on = form.querySelector('#wanted-on').value;
  return on ? `${monthDay(on)}${form.querySelector('#wanted-hour').selectedOptions[0].textContent}` : '';
}
