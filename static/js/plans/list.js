// The pages 今日 and 老人: drawn from the panel block, counted by the phone's own day, with what is only
// on this phone laid over. Works on a page that was stored last week.

import * as overlay from '../offline/overlay.js';
import * as pages from '../offline/pages.js';
import { age, isoDay, monthDay, weekday } from '../when.js';
import { readPanel } from './panel.js';
import { bandsOf, coming, gradeCounts, narrowed, overlaid, stateCounts, tasksOf, whenOf } from './rows.js';

const FIRST = 60; // rows drawn at once; the rest follow while the phone is idle
const CHUNK = 120;
const DEFAULTS = { today: { state: 'todo', sort: 'urgency' }, patients: { state: 'all', sort: 'village' } };
const STATE_WORDS = { todo: '待访', late: '逾期', done: '已访', all: '全部' };
const byId = (id) => document.getElementById(id);

let page = null; // what belongs to the page that stands now; another after a swap

function setUp() {
  const form = byId('list-form');
  const { place } = form.dataset;
  const ops = page ? page.ops : [];
  page = {
    root: byId('list'),
    form,
    place,
    base: readPanel(),
    ops,
    elements: new Map(),
    drawing: 0,
    today: '',
  };
  page.chosen = { ...DEFAULTS[place], grade: '', town: '', village: '', q: '', ...remembered(), ...asked() };
  // Choosing a filter is no typing: a fresh page may still be swapped in.
  for (const kind of ['input', 'change']) form.addEventListener(kind, (event) => event.stopPropagation());
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('change', onSelect);
  form.querySelector('.counts').addEventListener('click', onCount);
  byId('list-q').addEventListener('input', onType);
  byId('list-clear').addEventListener('click', () => search('', true));
  byId('list-find').addEventListener('click', onFind);
  page.root.addEventListener('click', onAhead);
  for (const select of form.querySelectorAll('select')) {
    const has = [...select.options].some((option) => option.value === page.chosen[select.name]);
    if (!has) page.chosen[select.name] = select.options[0].value;
    select.value = page.chosen[select.name];
  }
  byId('list-q').value = page.chosen.q;
  byId('list-clear').hidden = !page.chosen.q;
  if (page.chosen.q || new URLSearchParams(location.search).has('find')) reveal();
}

// ---- filters that stay ----
// Not what was searched for: the browser writes this storage to a file, and a name is no filter.

const key = () => `nx-list-${page.place}`;

function remembered() {
  try {
    const filters = JSON.parse(sessionStorage.getItem(key())) || {};
    delete filters.q; // an older build kept it
    return filters;
  } catch {
    return {};
  }
}

function remember() {
  try {
    sessionStorage.setItem(key(), JSON.stringify({ ...page.chosen, ahead: undefined, q: undefined }));
  } catch {
    // nothing may be stored: the filters last as long as the page
  }
}

/** What the address asks for: a link of the page without script, or a shortcut. */
function asked() {
  const found = {};
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (['state', 'sort', 'grade', 'town', 'village', 'q'].includes(name)) found[name] = value;
  }
  return found;
}

function choose(change) {
  Object.assign(page.chosen, { ahead: false }, change);
  if (location.search) history.replaceState(history.state, '', location.pathname);
  remember();
  draw();
  say();
}

function onSelect(event) {
  const { filter } = event.target.dataset;
  if (!filter) return;
  const change = { [filter]: event.target.value };
  const village = page.form.elements.village;
  if (filter === 'town' && village.value) {
    change.village = '';
    village.value = '';
  }
  choose(change);
}

function onCount(event) {
  const link = event.target.closest('a.count');
  if (!link) return;
  event.preventDefault();
  const { state, gradeFilter } = link.dataset;
  if (page.chosen.q) clearSearch();
  choose(state === undefined ? { grade: gradeFilter } : { state });
}

function onAhead(event) {
  if (!event.target.closest('[data-ahead]')) return;
  event.preventDefault();
  choose({ state: 'todo', ahead: true });
}

// ---- search ----

function reveal() {
  byId('list-search').hidden = false;
  byId('list-hint').hidden = Boolean(page.chosen.q);
}

function onFind(event) {
  event.preventDefault();
  const open = byId('list-search').hidden;
  if (open) {
    reveal();
    byId('list-q').focus();
  } else {
    byId('list-search').hidden = true;
    byId('list-hint').hidden = true;
    if (page.chosen.q) search('', false);
  }
}

function onType(event) {
  if (event.isComposing) return; // pinyin being typed is not yet a word
  search(event.target.value, false);
}

function clearSearch() {
  page.chosen.q = '';
  byId('list-q').value = '';
  byId('list-clear').hidden = true;
}

function search(text, focus) {
  const q = text.trim();
  byId('list-clear').hidden = !text;
  byId('list-hint').hidden = Boolean(q);
  if (byId('list-q').value !== text) byId('list-q').value = text;
  if (focus) byId('list-q').focus();
  choose({ q });
}

// ---- drawing ----

function draw() {
  const today = isoDay();
  const { chosen } = page;
  const rows = overlaid(page.base, page.ops);
  page.today = today;
  head(today, rows);
  counts(rows, today);
  const bands = bandsOf(rows, chosen, today);
  page.bands = bands;
  const round = ++page.drawing;
  if (!bands.length) {
    page.root.replaceChildren(empty(rows, today));
    return;
  }
  const waiting = [];
  let room = FIRST;
  const sections = bands.map((band) => {
    const section = fromTemplate('band-template');
    const heading = section.querySelector('h2');
    heading.firstChild.textContent = `${band.word} `;
    heading.querySelector('span').textContent = `${band.rows.length} 人`;
    const list = section.querySelector('.list');
    const now = band.rows.slice(0, Math.max(0, room));
    room -= now.length;
    list.append(...now.map((row) => element(row, today)));
    if (now.length < band.rows.length) waiting.push([list, band.rows.slice(now.length)]);
    return section;
  });
  page.root.replaceChildren(...sections);
  whenIdle(() => more(waiting, round, today));
}

const whenIdle = (work) =>
  window.requestIdleCallback ? requestIdleCallback(work, { timeout: 400 }) : setTimeout(work, 16);

function more(waiting, round, today) {
  if (round !== page.drawing) return;
  const next = waiting[0];
  if (!next) return whenDrawn();
  const [list, rows] = next;
  list.append(...rows.splice(0, CHUNK).map((row) => element(row, today)));
  if (!rows.length) waiting.shift();
  whenIdle(() => more(waiting, round, today));
}

function fromTemplate(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

/** The row of one person, kept between drawings and filled again only when something of it changed. */
function element(row, today) {
  const late = bandIsLate(row, today);
  const tasks = tasksOf(row, today);
  const when = whenOf(row, today);
  const same = [
    row.name,
    row.colour,
    row.emergency,
    tasks.join(),
    when,
    late,
    row.village,
    row.pending,
    today,
    page.chosen.sort,
    !page.chosen.q,
  ].join('|');
  const held = page.elements.get(row.id);
  if (held && held.same === same) return held.made;
  const made = fromTemplate('row-template');
  made.href = row.href;
  const tile = made.querySelector('.tile');
  tile.dataset.grade = row.colour;
  if (row.emergency) tile.dataset.emergency = '';
  tile.querySelector('span').textContent = row.emergency ? '危急' : TILE_WORDS[row.colour];
  made.querySelector('.row-name b').textContent = row.name;
  made.querySelector('.row-facts').textContent =
    `${row.sex === '2' ? '女' : '男'} ${age(row.birth_date, today)} 岁`;
  const line = made.querySelector('.row-tasks');
  line.replaceChildren(...(row.pending ? [fromTemplate('mark-template')] : []), ...dotted(tasks));
  const [whenBox, placeBox] = made.querySelector('.row-side').children;
  whenBox.textContent = when;
  whenBox.classList.toggle('late', late);
  placeBox.textContent = page.chosen.sort === 'village' && !page.chosen.q ? '' : row.village; // the heading says it
  page.elements.set(row.id, { same, made });
  return made;
}

const TILE_WORDS = { red: '红', yellow: '黄', green: '绿', unrated: '待评' };

function bandIsLate(row, today) {
  return row.visited_on !== today && row.due_on !== null && row.due_on < today;
}

function dotted(words) {
  return words.flatMap((word, at) => {
    if (!at) return [word];
    const dot = document.createElement('span');
    dot.className = 'sep';
    return [dot, word];
  });
}

function head(today, rows) {
  const day = byId('list-day');
  if (day && day.getAttribute('datetime') !== today) {
    day.setAttribute('datetime', today);
    day.textContent = `${monthDay(today, today)} ${weekday(today)}`;
  }
  const total = byId('list-total');
  if (total) total.textContent = rows.length;
}

function counts(rows, today) {
  const { chosen } = page;
  const states = stateCounts(narrowed(rows, chosen), today);
  const grades = gradeCounts(narrowed(rows, { ...chosen, grade: '' }));
  for (const link of page.form.querySelectorAll('a.count')) {
    const { state, gradeFilter } = link.dataset;
    const current =
      !chosen.q && (state === undefined ? gradeFilter === chosen.grade : state === chosen.state);
    link.querySelector('b').textContent = state === undefined ? grades[gradeFilter] : states[state];
    if (current) link.setAttribute('aria-current', 'true');
    else link.removeAttribute('aria-current');
  }
}

// ---- nobody to show ----

function empty(rows, today) {
  const box = fromTemplate('empty-template');
  const [title, text] = [box.querySelector('h2'), box.querySelector('p')];
  const [solid, link] = [box.querySelector('.btn.solid'), box.querySelector('.btn.text')];
  const { action, other, ...said } = emptyWords(rows, today);
  title.textContent = said.title;
  text.replaceChildren(...[said.text].flat().filter(Boolean).map(line));
  text.hidden = !text.childNodes.length;
  fill(solid, action);
  fill(link, other);
  return box;
}

function line(words) {
  const span = document.createElement('span');
  span.textContent = words;
  return span;
}

function fill(link, what) {
  if (!what) {
    link.remove();
    return;
  }
  link.textContent = what.words;
  link.href = what.href;
  if (what.ahead) link.dataset.ahead = '';
}

function emptyWords(rows, today) {
  const { chosen } = page;
  const everybody = { words: '看全部老人', href: '/patients' };
  if (chosen.q) return { title: '没有找到', text: '换一个字，或少打几个字试试。', other: everybody };
  if (page.incomplete) {
    return {
      title: '资料还没有下载完',
      text: '现在没有网，名单可能不全。',
      action: { words: '看下载进度', href: '/outbox' },
    };
  }
  if (!rows.length) {
    const mayRegister = document.body.dataset.role !== 'manager';
    return {
      title: '还没有老人档案',
      action: mayRegister ? { words: '新建档案', href: '/patients/new' } : null,
    };
  }
  if (page.place === 'patients' || !['todo', 'late'].includes(chosen.state) || narrow(chosen)) {
    const title = { todo: '没有待访', late: '没有逾期', done: '今天还没有已访', all: '没有符合的人' }[
      chosen.state
    ];
    return { title, text: narrow(chosen) ? '可能是筛选太窄。' : '', other: everybody };
  }
  return nothingToday(rows, today);
}

const narrow = ({ grade, town, village }) => Boolean(grade || town || village);

function nothingToday(rows, today) {
  const done = stateCounts(rows, today).done;
  const onPhone = page.ops.filter((op) => op.state !== 'done').length;
  const sent = onPhone ? `${onPhone} 条仅在本机。` : '记录已全部上传。';
  const days = coming(rows, today);
  const total = days.reduce((sum, { count }) => sum + count, 0);
  const tomorrow =
    days.length > 0 && days[0].on === isoDay(new Date(Date.parse(`${today}T12:00:00`) + 86400000));
  const ahead = tomorrow
    ? [`明天有 ${days[0].count} 位。`, `看明天的 ${days[0].count} 位`]
    : [`一周内有 ${total} 位。`, `看一周内的 ${total} 位`];
  return {
    title: page.chosen.state === 'late' ? '没有逾期' : '今天没有待访',
    text: [done ? `${done} 位都看过了，${sent}` : '', total ? ahead[0] : '一周内也没有安排。'],
    action: total ? { words: ahead[1], href: '/today', ahead: true } : null,
    other: { words: '补录一次随访', href: '/patients' },
  };
}

// ---- said aloud, and where the reader was ----

let speaking;

function say() {
  clearTimeout(speaking);
  speaking = setTimeout(() => {
    const people = page.bands.map((band) => `${band.word} ${band.rows.length} 人`).join('，');
    const state = page.chosen.q ? '' : `${STATE_WORDS[page.chosen.state]}：`;
    byId('list-said').textContent = people ? `${state}${people}` : '没有符合的人';
  }, 500);
}

let restored = false;

function whenDrawn() {
  if (restored) return;
  restored = true;
  const [entry] = performance.getEntriesByType('navigation');
  const top = Number(remembered().top);
  if (entry?.type === 'back_forward' && top > 0 && scrollY < top) scrollTo(0, top);
}

window.addEventListener('pagehide', () => {
  if (!page) return;
  try {
    sessionStorage.setItem(key(), JSON.stringify({ ...remembered(), top: Math.round(scrollY) }));
  } catch {
    // see remember()
  }
});

// A phone that lay over night shows yesterday's list: count again when it is looked at.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && page && page.today !== isoDay()) draw();
});

function paint(ops) {
  if (!byId('panel')) return;
  if (!page || page.root !== byId('list')) setUp();
  page.ops = ops;
  draw();
}

async function noticeMissingPack() {
  if (navigator.onLine || !('serviceWorker' in navigator)) return;
  const meta = await pages.meta().catch(() => undefined);
  page.incomplete = !meta;
  if (page.incomplete) draw();
}

let registered = false;

/** Called by app.js, again after a fresher page was swapped in; the overlay paints afterwards. */
export function start() {
  if (!byId('list')) return;
  setUp();
  draw();
  if (!registered) {
    registered = true;
    overlay.register('today', paint);
    overlay.register('patients', paint);
  }
  noticeMissingPack();
}
