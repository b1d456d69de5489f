// One answer against its field: type, range, length, in words. Twin of app/forms/values.py.
import { isNumber } from './conditions.js';
import { day, spoken } from './dates.js';

/** Decimals each numeric type may have. */
export const DECIMALS = { int: 0, dec1: 1, dec3: 3 };
const DECIMALS_ZH = { 1: '一', 3: '三' };
const EDGE_BLANKS = /^[ \t\r\n\u3000\u00a0]+|[ \t\r\n\u3000\u00a0]+$/g;

/** Text without the blanks around it; not trim(), which differs from Python's strip(). */
export function stripped(text) {
  return text.replace(EDGE_BLANKS, '');
}

/** Nothing was answered. An empty list is an answer. */
export function absent(value) {
  return value === null || value === undefined || (typeof value === 'string' && stripped(value) === '');
}

/** A figure as people write it. */
export function plain(number) {
  return String(number);
}

/**
 * What is wrong with a value that is not absent.
 * @returns {Array<[string, string, string]>} pointer below the field, code, message
 */
export function faults(field, value, lookup) {
  if (field.type in DECIMALS) return numberFaults(field, value);
  if (field.type === 'text') return textFaults(field, value);
  if (field.type === 'date') return dateFaults(field, value, lookup);
  if (field.type === 'bool') {
    return typeof value === 'boolean' ? [] : [['', 'type', `${field.zh}只能是“是”或“否”。`]];
  }
  if (field.type === 'enum') {
    return isOption(field, value) ? [] : [['', 'choice', `${field.zh}没有这个选项。`]];
  }
  return field.type === 'multi' ? multiFaults(field, value) : rowFaults(field, value, lookup);
}

function isOption(field, value) {
  return field.options.some((option) => option.code === value);
}

function numberFaults(field, value) {
  const decimals = DECIMALS[field.type];
  const words = decimals === 0 ? '整数' : `数字，最多${DECIMALS_ZH[decimals]}位小数`;
  const wrongType = [['', 'type', `${field.zh}须为${words}。`]];
  if (!isNumber(value) || !Number.isFinite(value)) return wrongType;
  const { min, max } = field.hard || {};
  if (min !== undefined && !(min <= value && value <= max)) {
    const unit = field.unit ? ` ${field.unit}` : '';
    return [['', 'range', `${field.zh}须在 ${plain(min)}–${plain(max)}${unit} 之间。`]];
  }
  return isDecimal(value, decimals) ? [] : wrongType;
}

/** Whether a value of the size of a measurement has at most so many decimals. */
export function isDecimal(value, decimals) {
  const scale = 10 ** decimals;
  return Math.floor(value * scale + 0.5) / scale === value;
}

function textFaults(field, value) {
  if (typeof value !== 'string') return [['', 'type', `${field.zh}须为文字。`]];
  const letters = Array.from(value);
  // Array.from leaves only lone surrogates as single units of that range
  if (letters.some((letter) => letter === '\0' || /^[\ud800-\udfff]$/.test(letter))) {
    return [['', 'characters', `${field.zh}里有不能保存的字符。`]];
  }
  return letters.length > field.max ? [['', 'too_long', `${field.zh}最多 ${field.max} 个字。`]] : [];
}

function dateFaults(field, value, lookup) {
  if (day(value) === null) return [['', 'date', `${field.zh}须为有效的日期。`]];
  const hard = field.hard || {};
  const low = hard.min ? lookup(hard.min) : null;
  const high = hard.max ? lookup(hard.max) : null;
  if (low && value < low) return [['', 'range', `${field.zh}不能早于 ${spoken(low)}。`]];
  return high && value > high ? [['', 'range', `${field.zh}不能晚于 ${spoken(high)}。`]] : [];
}

function multiFaults(field, value) {
  if (!Array.isArray(value)) return [['', 'type', `${field.zh}须为选项的列表。`]];
  if (!value.every((one) => isOption(field, one))) return [['', 'choice', `${field.zh}没有这个选项。`]];
  if (new Set(value).size < value.length) return [['', 'duplicate', `${field.zh}有重复的选项。`]];
  const alone = aloneOption(field, value);
  return alone && value.length > 1 ? [['', 'excludes', `选了“${alone.zh}”就不能再选别的。`]] : [];
}

/** The chosen option that leaves no room for others, such as 无症状. */
export function aloneOption(field, value) {
  return field.options.find((option) => option.excludes === 'all' && value.includes(option.code)) || null;
}

function rowFaults(field, value, lookup) {
  if (!Array.isArray(value)) return [['', 'type', `${field.zh}须为列表。`]];
  if (value.length > field.max_rows) return [['', 'too_long', `${field.zh}最多 ${field.max_rows} 行。`]];
  return value.reduce((all, row, place) => all.concat(oneRow(field, row, place, lookup)), []);
}

function oneRow(field, row, place, lookup) {
  const title = `${field.zh}第 ${place + 1} 行`;
  if (row === null || typeof row !== 'object' || Array.isArray(row)) {
    return [[`/${place}`, 'type', `${title}看不懂。`]];
  }
  const known = new Set(field.item.map((item) => item.key));
  const wrong = unknownKeys(row, known).map((key) => [
    `/${place}/${escaped(key)}`,
    'unknown_field',
    '表里没有这一项。',
  ]);
  for (const item of field.item) {
    const pointer = `/${place}/${item.key}`;
    const cell = own(row, item.key);
    if (!absent(cell)) {
      for (const [below, code, message] of faults(item, cell, lookup)) {
        wrong.push([pointer + below, code, `${title}：${message}`]);
      }
    } else if (item.required) {
      wrong.push([pointer, 'required', `${title}：请填写${item.zh}。`]);
    }
  }
  return wrong;
}

/** A key's own value: `constructor` and the like are no answers. */
export function own(object, key) {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Keys the form does not have, sorted. */
export function unknownKeys(given, known) {
  return Object.keys(given)
    .filter((key) => !known.has(key))
    .sort();
}

/** A key inside a JSON pointer. */
export function escaped(key) {
  return key.replace(/~/g, '~0').replace(/\//g, '~1');
}
