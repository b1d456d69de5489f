// 改好，再上传: a visit the server refused, opened again with its words at each field.

import * as outbox from '../offline/outbox.js';
import { userId } from '../offline/person.js';
import { errorsOf } from './payload.js';
import { say } from './say.js';

const KEPT = '它还在这台手机上，改好再传。';

/** The refused record of ?op=, if it is this person's and still waits for them. */
export async function recordOf(op_id) {
  const record = op_id && (await outbox.get(op_id).catch(() => undefined));
  const mine = record && record.author_id === userId() && /^visit\./.test(record.kind);
  return mine && record.state !== 'done' && record.payload.answers ? record : null;
}

/** What was wrong, and the two ways on: mend it now, or leave it lying. */
export function dress(document, runtime, result) {
  const errors = errorsOf(result);
  if (errors.length) runtime.showErrors(errors, `服务器没有收下这条记录。${KEPT}`);
  else if (result) say(document, 'fault', `${result.detail || '服务器没有收下这条记录。'} ${KEPT}`);
  const button = document.getElementById('save-button');
  const both = Object.assign(document.createElement('div'), { className: 'btns' });
  const later = { className: 'btn line less', href: '/outbox', textContent: '先放着' };
  button.textContent = '改好，再上传';
  button.classList.remove('wide');
  button.replaceWith(both);
  both.append(Object.assign(document.createElement('a'), later), button);
}
