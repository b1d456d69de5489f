// Words for dates, counted in the browser: a page kept on the phone must not say 今天 tomorrow.
//
// <time datetime="2026-06-12" data-when="due">6月12日前</time>      逾期 2 天 / 今天 / 明天 / 6月12日前
// <time datetime="2026-06-12" data-when="day">6月12日</time>        昨天 / 今天 / 明天 / 6月12日 周五
// <time datetime="2026-06-12T10:00:00+08:00" data-when="waited">    已等 2 小时
// <time datetime="…" data-when="ago">                              刚刚 / 5 分钟前 / 今天 10:00 / 6月12日
// <span data-birth="1948-03-02">78</span>                          78, the age in whole years
// The text the server wrote is absolute and stays where the browser cannot count.

const WEEKDAYS = ['周日', '周一', '周二', '周三', '周四', '周五', '周六'];
const MINUTE = 60000;
const DAY = 86400000;

const two = (n) => String(n).padStart(2, '0');

/** Local date as 2026-06-12. */
export function isoDay(date = new Date()) {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** RFC 3339 with the phone's own offset: 2026-06-01T09:12:00+08:00. */
export function localIso(date = new Date()) {
  const offset = -date.getTimezoneOffset();
  const sign = offset < 0 ? '-' : '+';
  const size = Math.abs(offset);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${isoDay(date)}T${time}${sign}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** 9:05 → 09:05, on the phone's clock. */
export function hourMinute(moment) {
  const date = new Date(moment);
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Whole days from one local date to another, both 2026-06-12. Summer time cannot bend it: UTC on purpose. */
export function daysBetween(from, to) {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / DAY);
}

/** 2026-06-12 → 6月12日, with the year when it is not this one. */
export function monthDay(iso, today = isoDay()) {
  const [year, month, day] = iso.split('-').map(Number);
  const words = `${month}月${day}日`;
  return String(year) === today.slice(0, 4) ? words : `${year}年${words}`;
}

export function weekday(iso) {
  return WEEKDAYS[new Date(`${iso}T00:00:00Z`).getUTCDay()];
}

/** When somebody must be seen by. */
export function due(iso, today = isoDay()) {
  const days = daysBetween(today, iso);
  if (days < 0) return `逾期 ${-days} 天`;
  if (days === 0) return '今天';
  if (days === 1) return '明天';
  return `${monthDay(iso, today)}前`;
}

export function day(iso, today = isoDay()) {
  const days = daysBetween(today, iso);
  if (days === 0) return '今天';
  if (days === 1) return '明天';
  if (days === -1) return '昨天';
  return days > 1 && days < 15 ? `${monthDay(iso, today)} ${weekday(iso)}` : monthDay(iso, today);
}

/** How long somebody has been waiting: 刚刚, 已等 20 分钟, 已等 2 小时, 已等 3 天. */
export function waited(moment, now = new Date()) {
  const minutes = Math.floor((now - new Date(moment)) / MINUTE);
  if (minutes < 1) return '刚刚';
  if (minutes < 60) return `已等 ${minutes} 分钟`;
  if (minutes < 48 * 60) return `已等 ${Math.floor(minutes / 60)} 小时`;
  return `已等 ${Math.floor(minutes / (24 * 60))} 天`;
}

export function ago(moment, now = new Date()) {
  const then = new Date(moment);
  const minutes = Math.floor((now - then) / MINUTE);
  if (minutes >= 0 && minutes < 1) return '刚刚';
  if (minutes > 0 && minutes < 60) return `${minutes} 分钟前`;
  const today = isoDay(now);
  const on = isoDay(then);
  const days = daysBetween(on, today);
  if (days === 0) return `今天 ${hourMinute(then)}`;
  if (days === 1) return `昨天 ${hourMinute(then)}`;
  return monthDay(on, today);
}

/** Whole years lived on `today`; born on 29 February counts from 1 March in common years. */
export function age(birth, today = isoDay()) {
  const [y, m, d] = birth.split('-').map(Number);
  const [ty, tm, td] = today.split('-').map(Number);
  return ty - y - (tm < m || (tm === m && td < d) ? 1 : 0);
}

const WORDS = {
  due: (value, now) => due(value.slice(0, 10), isoDay(now)),
  day: (value, now) => day(value.length > 10 ? isoDay(new Date(value)) : value, isoDay(now)),
  waited,
  ago,
};

/** Put today's words into every element below `root` that asks for them. */
export function refresh(root = document, now = new Date()) {
  for (const element of root.querySelectorAll('[data-when]')) {
    const words = WORDS[element.dataset.when];
    const value = element.getAttribute('datetime') || element.dataset.on;
    if (!words || !value || Number.isNaN(Date.parse(value))) continue;
    const text = words(value, now);
    if (element.textContent !== text) element.textContent = text;
    if (element.dataset.when === 'due') {
      element.classList.toggle('late', daysBetween(isoDay(now), value.slice(0, 10)) < 0);
    }
  }
  for (const element of root.querySelectorAll('[data-birth]')) {
    if (element.dataset.birth) element.textContent = String(age(element.dataset.birth, isoDay(now)));
  }
}
