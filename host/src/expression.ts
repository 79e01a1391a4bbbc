// Expressions in a configuration, checked where a mistake can be named with its column; the core evaluates them. The
// grammar and its limits are those of wasm-core/engine/src/expression.rs; `expression.test.ts` holds the two together.

/** An expression's names, or what is wrong with it and where (columns count from 1). */
export type CheckedExpression = { names: string[] } | { wrong: string; column: number };

const TEXT_BYTES_MAX = 1024;
const NESTING_MAX = 32;
const STEPS_MAX = 512;
const NAMES_MAX = 32;

/** Functions, and how many arguments each takes. */
const FUNCTIONS: Readonly<Record<string, number>> = {
  ...Object.fromEntries(
    'sqrt abs floor ceil round exp ln log10 log2 sin cos tan asin acos atan'.split(' ').map((name) => [name, 1]),
  ),
  ...{ min: 2, max: 2, atan2: 2, hypot: 2, if: 3 },
};

/** Operators by how tightly they bind; comparisons do not chain. */
const OPERATORS = [['||'], ['&&'], ['<=', '>=', '==', '!=', '<', '>'], ['+', '-'], ['*', '/', '%']] as const;
const COMPARISONS = 2;

class Wrong extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

export function checkExpression(text: string): CheckedExpression {
  if (Buffer.byteLength(text) > TEXT_BYTES_MAX) return { wrong: `more than ${TEXT_BYTES_MAX} bytes`, column: 1 };
  const names: string[] = [];
  let at = 0;
  let nesting = 0;
  let steps = 0;

  const space = (): void => {
    while (text[at] === ' ' || text[at] === '\t') at += 1;
  };
  const sign = (wanted: string): boolean => {
    space();
    const there = text.startsWith(wanted, at);
    at += there ? wanted.length : 0;
    return there;
  };
  const fail = (wrong: string, where = at): never => {
    throw new Wrong(wrong, where);
  };
  const step = (): void => {
    steps += 1;
    if (steps > STEPS_MAX) fail('too many steps');
  };
  const nested = (inner: () => void): void => {
    nesting += 1;
    if (nesting > NESTING_MAX) fail(`more than ${NESTING_MAX} levels`);
    inner();
    nesting -= 1;
  };
  const level = (depth: number): void => {
    const operators = OPERATORS[depth];
    if (operators === undefined) {
      signed();
      return;
    }
    level(depth + 1);
    while (operators.some((operator) => sign(operator))) {
      level(depth + 1);
      step();
      if (depth === COMPARISONS) break;
    }
  };
  const signed = (): void => {
    if (sign('-') || sign('!')) {
      nested(signed);
      step();
      return;
    }
    atom();
    if (sign('^')) {
      nested(signed);
      step();
    }
  };
  const name = (found: string, where: number): void => {
    if (found === '') {
      space();
      const next = text.slice(at, at + 1);
      fail(
        next === '' ? 'it ends where a value was expected' : `${JSON.stringify(next)} where a value was expected`,
        where,
      );
    }
    if (!names.includes(found)) names.push(found);
    if (names.length > NAMES_MAX) fail(`more than ${NAMES_MAX} names`, where);
    step();
  };
  const close = (): void => {
    if (!sign(')')) fail('`)` is missing');
  };
  const call = (found: string, where: number): void => {
    const count = Object.hasOwn(FUNCTIONS, found)
      ? (FUNCTIONS[found] as number)
      : fail(`no function is called ${JSON.stringify(found)}`, where);
    for (let argument = 0; argument < count; argument++) {
      if (argument > 0 && !sign(',')) fail(`${found} takes ${count} arguments`);
      nested(() => level(0));
    }
    space();
    if (text[at] === ',') fail(`${found} takes ${count} argument${count > 1 ? 's' : ''}`);
    close();
    step();
  };
  const atom = (): void => {
    space();
    const where = at;
    if (sign('(')) {
      nested(() => level(0));
      close();
      return;
    }
    if (sign('`')) {
      const end = text.indexOf('`', at);
      if (end < 0) fail('a ` without its other', where);
      const found = text.slice(at, end);
      at = end + 1;
      name(found, where);
      return;
    }
    const number = /^(\d+\.?\d*|\.\d*)([eE][+-]?\d*)?/.exec(text.slice(at));
    if (number !== null) {
      at += number[0].length;
      if (!/^(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(number[0]) || !Number.isFinite(Number(number[0])))
        fail(`${number[0]} is no number`, where);
      step();
      return;
    }
    const found = /^[A-Za-z0-9_]*/.exec(text.slice(at))?.[0] ?? '';
    at += found.length;
    if (sign('(')) call(found, where);
    else name(found, where);
  };

  try {
    level(0);
    space();
    if (at < text.length) fail(`${JSON.stringify(text.slice(at, at + 1))} where it should end`);
    return { names };
  } catch (thrown) {
    if (thrown instanceof Wrong) return { wrong: thrown.message, column: thrown.at + 1 };
    throw thrown;
  }
}
