// What the order pages share: JSON blocks of the page, and words for what is only on this phone.

import { day, isoDay } from '../when.js';

/** The JSON block `id` of this page; `fallback` when the page has none. */
export function block(id, fallback = {}) {
  const element = document.getElementById(id);
  return element ? JSON.parse(element.textContent) : fallback;
}

/** 6月11日 周四 下午: what the family asked for. */
export function wanted(moment, now = new Date()) {
  const at = new Date(moment);
  if (Number.isNaN(at.getTime())) return '';
  return `${day(isoDay(at), isoDay(now))} ${at.getHours() < 12 ? '上午' : '下午'}`;
}

/** Pending operations on one order, oldest first. */
export function movesOf(ops, orderId) {
  return ops.filter((op) => op.kind === 'order.transition' && op.payload.order_id === orderId);
}

/** How far an order has come with what waits on this phone: its last state, and the next revision to build on. */
export function ahead(ops, row) {
  const moves = movesOf(ops, row.id).filter((op) => !row.ops?.includes(op.op_id));
  const last = moves[moves.length - 1];
  return {
    state: last ? last.payload.to : row.state,
    revision: row.revision + moves.length,
    waiting: moves.length,
  };
}

/** The half days a new order may name, from the phone's own clock: a stored page must not offer yesterday. */
export function tomorrow(now = new Date()) {
  return isoDay(new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1, 12));
}

/** RFC 3339 for a day and an hour in China, where every order is carried out. */
export function moment(isoDate, hour) {
  return `${isoDate}T${hour}:00+08:00`;
}
