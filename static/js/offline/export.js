// When nothing gets through: the sealed records as a file, or one by one as QR codes, for somebody else to
// carry to the server. Nobody on the way can read them.

import { deviceId } from '../ids.js';
import { isoDay, localIso } from '../when.js';
import * as outbox from './outbox.js';
import { asSealed } from './push.js';
import { toBase64url } from './seal.js';

const FORMAT = 'nuanxun-sealed-1';
const QR_BYTES = 2900; // a QR code of the largest size and the lowest correction holds 2,953
export const QR_AT_MOST = 5;

/** What is handed over; the newest content of each record. Needs no PIN. */
export async function contents(author_id) {
  const rows = await outbox.sealedUnsent(author_id);
  return {
    format: FORMAT,
    device_id: deviceId(),
    made_at: localIso(new Date()),
    sealed: rows.map(asSealed),
  };
}

/** Save the file where this phone saves downloads. @returns {Promise<number>} how many records are in it */
export async function save(author_id) {
  const found = await contents(author_id);
  if (!found.sealed.length) return 0;
  const address = URL.createObjectURL(new Blob([JSON.stringify(found)], { type: 'application/json' }));
  const link = Object.assign(document.createElement('a'), {
    href: address,
    download: `nuanxun-${isoDay()}-${found.sealed.length}.nxq`,
  });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
  return found.sealed.length;
}

/**
 * One address a record, that a manager's phone opens when its camera sees the code. What follows "#" is not
 * sent to any server by opening it.
 * @returns {Promise<string[]>}
 */
export async function addresses(author_id) {
  const { sealed } = await contents(author_id);
  const encoder = new TextEncoder();
  return sealed
    .map((entry) => toBase64url(encoder.encode(JSON.stringify({ sealed: [entry] }))))
    .map((text) => `${location.origin}/handover#${text}`)
    .filter((address) => address.length <= QR_BYTES);
}

/** The code of one address as an SVG element: drawn by script, so no markup is parsed. */
export async function drawing(address) {
  const { encode } = await import('../../vendor/uqr.js');
  const { data, size } = encode(address, { ecc: 'L', border: 4 });
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', `0 0 ${size} ${size}`);
  svg.setAttribute('shape-rendering', 'crispEdges');
  svg.setAttribute('role', 'img');
  const dark = document.createElementNS(space, 'path');
  const cells = data.flatMap((line, y) => line.flatMap((on, x) => (on ? [`M${x} ${y}h1v1h-1z`] : [])));
  dark.setAttribute('d', cells.join(''));
  svg.append(dark);
  return svg;
}
