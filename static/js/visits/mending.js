// 改好，再上传: a visit the server refused, opened again with its words at each field; a correction that was
// overtaken, with what the newer one says.

import { labelled } from '../forms/check.js';
import * as mend from '../offline/mend.js';
import { errorsOf } from './payload.js';
import { say } from './say.js';

const KEPT = '它还在这台手机上，改好再传。';
const AT_MOST = 8;

/** The refused record of ?op=, if it is this person's and still waits for them. */
export async function record() {
  const found = await mend.asked();
  return /^visit\./.test(found?.kind) && found.payload.answers ? found : null;
}

/**
 * What was wrong, and the two ways on: mend it now, or leave it lying.
 * @param {{form: object, result: object, answers: object, theirs: ?object}} what theirs: the answers the server
 *   has by now, where this page knows them
 */
export function dress(document, runtime, { form, result, answers, theirs }) {
  const errors = errorsOf(result);
  const told = result?.detail || '服务器没有收下这条记录。';
  if (errors.length) runtime.showErrors(errors, `服务器没有收下这条记录。${KEPT}`);
  else if (result)
    say(document, 'fault', [`${told} ${KEPT}`, ...differing(form, answers, theirs)].join('\n'));
  mend.twoWays(document.getElementById('save-button'));
}

/** One line a question answered otherwise on the server. */
export function differing(form, mine, theirs) {
  if (!theirs) return [];
  const found = form.fields
    .filter(({ key }) => JSON.stringify(mine[key] ?? null) !== JSON.stringify(theirs[key] ?? null))
    .map(
      (field) =>
        `${field.zh}：您写的 ${words(field, mine[field.key])}，服务器上 ${words(field, theirs[field.key])}`,
    );
  const more = found.length - AT_MOST;
  return more > 0 ? [...found.slice(0, AT_MOST), `另有 ${more} 处不同`] : found;
}

function words(field, value) {
  if (Array.isArray(value)) {
    if (field.type === 'list') return `${value.length} 行`;
    return value.map((one) => words(field, one)).join('、') || '没有选';
  }
  const option = field.options?.find((one) => one.code === value);
  return option ? option.zh : labelled(field, value);
}
