// How a record is called on a screen, also one that this phone cannot read now.

import { hourMinute, isoDay } from '../when.js';
import * as pages from './pages.js';
import { headOf } from './patient_page.js';

const KINDS = {
  'visit.create': '随访',
  'visit.correct': '随访更正',
  'order.create': '服务订单',
  'order.transition': '订单办理',
  'patient.create': '新建档案',
  'patient.update': '修改档案',
};

export function titleOf(record) {
  return record.label || KINDS[record.kind] || '记录';
}

/** Whom it is about; of a record that was given back by the server, from the page of that person. */
export async function nameOf(record) {
  if (record.patient_name) return record.patient_name;
  const id = record.patient_id || record.payload?.patient_id;
  const page = id && (await pages.get(`/patients/${id}`).catch(() => undefined));
  const head = page && headOf(new DOMParser().parseFromString(page.html, 'text/html'));
  return head?.name || record.payload?.name || '';
}

/** When it was recorded: the time of today, the day of another. */
export function clock(record) {
  const on = isoDay(new Date(record.saved_at));
  const [, month, day] = on.split('-').map(Number);
  return on === isoDay() ? hourMinute(record.saved_at) : `${month}月${day}日`;
}

/** 助浴 接单 → 接单 */
export function shortLabel(record) {
  return titleOf(record).split(/\s+/).pop().slice(0, 6);
}

/** Facts with the drawn dot between them. */
export function withDots(facts) {
  return facts.filter(Boolean).flatMap((fact, place) => {
    const dot = document.createElement('span');
    dot.className = 'sep';
    return place ? [dot, fact] : [fact];
  });
}
