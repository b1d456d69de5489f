// 导出 on 待上传: the sealed records as a file, or one after the other as QR codes, for somebody else to carry.

import * as exporting from './export.js';
import { userId } from './person.js';

const byId = (id) => document.getElementById(id);

/** Called for the page, and again when it was swapped. */
export function start() {
  byId('export-file')?.addEventListener('click', async () => {
    const count = await exporting.save(userId());
    say(count ? `已存 ${count} 条。记录还留在这台手机上，照常会上传。` : '没有可以导出的记录。');
  });
  byId('export-qr')?.addEventListener('click', show);
}

/** Offered only while something is unsent. */
export async function paint() {
  const { sealed } = await exporting.contents(userId());
  byId('export').hidden = !sealed.length;
  byId('export-qr').hidden = sealed.length > exporting.QR_AT_MOST;
  if (!sealed.length) say('');
}

function say(words) {
  byId('export-says').textContent = words;
}

async function show() {
  const { sealed } = await exporting.contents(userId());
  const addresses = await exporting.addresses(userId());
  if (!addresses.length) {
    say('这些记录太长，二维码里放不下，请存成文件。');
    return;
  }
  const left_out = sealed.length - addresses.length;
  byId('qr-rest').textContent = left_out ? `另有 ${left_out} 条太长，请存成文件。` : '';
  await draw(addresses, 0);
  byId('qr-sheet').showModal();
}

async function draw(addresses, place) {
  const words = `第 ${place + 1}/${addresses.length} 个`;
  const code = await exporting.drawing(addresses[place]);
  code.setAttribute('aria-label', `二维码，${words}`);
  byId('qr-code').replaceChildren(code);
  byId('qr-place').textContent = words;
  const last = place === addresses.length - 1;
  const next = byId('qr-next');
  next.textContent = last ? '都扫过了' : '下一个';
  next.onclick = () => (last ? byId('qr-sheet').close() : draw(addresses, place + 1));
  const back = byId('qr-back');
  back.hidden = place === 0;
  back.onclick = () => draw(addresses, place - 1);
}
