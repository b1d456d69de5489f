// Reads rule tables with three-valued logic: true, false, and null for "nobody knows".
//
// Line-for-line twin of app/rules/decide.py, which describes the expressions and operators;
// both are held to tests/contracts/decide.json.

/** The object's own value: a code such as "constructor" must not find what every object inherits. */
export function own(object, name) {
  // biome-ignore lint/suspicious/noPrototypeBuiltins: Object.hasOwn is younger than the phones
  return Object.prototype.hasOwnProperty.call(object, name) ? object[name] : undefined;
}

const isScalar = (value) => ['boolean', 'number', 'string'].includes(typeof value);

/** Equality without coercion. */
const same = (a, b) => isScalar(a) && a === b;

const holds = (items, wanted) => items.some((item) => same(item, wanted));

// operator: [type the fact must have, type the value must have, test]
const OPERATORS = {
  lt: ['number', 'number', (a, b) => a < b],
  le: ['number', 'number', (a, b) => a <= b],
  gt: ['number', 'number', (a, b) => a > b],
  ge: ['number', 'number', (a, b) => a >= b],
  is: ['scalar', 'scalar', same],
  in: ['scalar', 'list', (a, b) => holds(b, a)],
  has: ['list', 'scalar', holds],
  has_any: ['list', 'list', (a, b) => b.some((item) => holds(a, item))],
};

function isA(value, kind) {
  if (kind === 'list') return Array.isArray(value);
  return kind === 'scalar' ? isScalar(value) : typeof value === kind;
}

const isReference = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

const wantedOf = (value, facts) => (isReference(value) ? own(facts, value.fact) : value);

function test([name, operator, value], facts) {
  const fact = own(facts, name);
  if (operator === 'known') return ((fact ?? null) !== null) === value;
  const entry = own(OPERATORS, operator);
  if (!entry) throw new Error(`unknown operator ${operator}`);
  const [factKind, valueKind, compare] = entry;
  const wanted = wantedOf(value, facts);
  return isA(fact, factKind) && isA(wanted, valueKind) ? compare(fact, wanted) : null;
}

/** @returns {boolean | null} null is unknown. Throws for an operator the twins do not have. */
export function evaluate(expression, facts) {
  if (Array.isArray(expression)) return test(expression, facts);
  if ('not' in expression) {
    const inner = evaluate(expression.not, facts);
    return inner === null ? null : !inner;
  }
  if ('unless' in expression) return evaluate(expression.unless, facts) !== true;
  const stop = 'any' in expression;
  let answer = !stop;
  for (const part of stop ? expression.any : expression.all) {
    const result = evaluate(part, facts);
    if (result === stop) return stop;
    answer = result === null ? null : answer;
  }
  return answer;
}

/** Names of the facts because of which the expression is unknown, in the order they are read. */
export function unknowns(expression, facts) {
  if (evaluate(expression, facts) !== null) return [];
  if (Array.isArray(expression)) {
    const [name, operator, value] = expression;
    if (isA(own(facts, name), OPERATORS[operator][0]) && isReference(value)) return [value.fact];
    return [name];
  }
  const parts = 'not' in expression ? [expression.not] : (expression.any ?? expression.all);
  return [...new Set(parts.flatMap((part) => unknowns(part, facts)))];
}

/** Every row whose condition is known to be true, in table order. */
export function matching(rows, facts) {
  return rows.filter((row) => evaluate(row, facts) === true);
}

/**
 * First row that applies: {then, row, missing}.
 * A row whose condition is unknown stops the search: then is null and missing names what to ask.
 */
export function decide(table, facts) {
  for (const row of table.rows) {
    const result = evaluate(row, facts);
    if (result !== false) {
      // biome-ignore lint/suspicious/noThenProperty: the word of the tables; nobody awaits an answer
      return { then: result ? row.then : null, row: row.id, missing: unknowns(row, facts) };
    }
  }
  // biome-ignore lint/suspicious/noThenProperty: as above
  return { then: null, row: null, missing: [] };
}
