// The little language of definition files. Twin of app/forms/conditions.py.

/** JSON number, as opposed to text or a boolean. */
export function isNumber(value) {
  return typeof value === 'number';
}

/** Equality as JSON has it; lists and objects never take part. */
export function same(left, right) {
  return left === right;
}

function ordered(compare) {
  return (left, right) =>
    ((isNumber(left) && isNumber(right)) || (typeof left === 'string' && typeof right === 'string')) &&
    compare(left, right);
}

const filled = (value) => Array.isArray(value) && value.length > 0;
const unknown = (value) => value === null || value === undefined;

const OPERATORS = {
  lt: ordered((left, right) => left < right),
  le: ordered((left, right) => left <= right),
  gt: ordered((left, right) => left > right),
  ge: ordered((left, right) => left >= right),
  is: same,
  in: (left, right) => right.includes(left),
  has_any: (left, right) => Array.isArray(left) && left.some((one) => right.includes(one)),
  known: (left) => !unknown(left),
  unknown,
  filled,
  empty: (left) => !filled(left),
};

/**
 * Whether a condition is true: a list of conditions means all of them, none always holds.
 * @param {*} condition
 * @param {(name: string) => *} lookup
 * @returns {boolean}
 */
export function holds(condition, lookup) {
  if (condition === null || condition === undefined) return true;
  if (!Array.isArray(condition)) {
    if (condition.any) return condition.any.some((one) => holds(one, lookup));
    if (condition.all) return condition.all.every((one) => holds(one, lookup));
    return !holds(condition.not, lookup);
  }
  if (typeof condition[0] === 'string') {
    const [name, operator, given] = condition;
    const right = typeof given === 'string' && given[0] === '$' ? lookup(given.slice(1)) : given;
    return OPERATORS[operator](lookup(name), right);
  }
  return condition.every((one) => holds(one, lookup));
}
