// Reads one JSON object a line {form, answers, context} and answers with the twin's whole verdict.
import { readFileSync } from 'node:fs';
import { check } from '../../static/js/forms/check.js';
import { factsFrom, observations, summary } from '../../static/js/forms/facts.js';
import { compute } from '../../static/js/forms/read.js';

const folder = new URL('../../app/forms/definitions/', import.meta.url);
const forms = {};

function formOf(key) {
  forms[key] = forms[key] || JSON.parse(readFileSync(new URL(`${key}.json`, folder), 'utf8'));
  return forms[key];
}

for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  const { form: key, answers, context } = JSON.parse(line);
  const form = formOf(key);
  const verdict = {
    ...check(form, answers, context),
    computed: compute(form, answers, context),
    facts: factsFrom(form, answers, '2026-06-10', context),
    observations: observations(form, answers, context),
    summary: summary(form, answers),
  };
  process.stdout.write(`${JSON.stringify(verdict)}\n`);
}
