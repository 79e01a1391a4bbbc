// The value templates of Home Assistant (https://www.home-assistant.io/docs/configuration/templating/, in Jinja) that say where a
// number stands and at most put it on another scale: sums and products with numbers, and the filters that publishers use for that.
// Others are programs, which nobody runs here.

/** Where a template's number stands, and `scale × number + offset`. */
export interface Template {
  path: string;
  scale: number;
  offset: number;
}

/** Longer templates, and those nested deeper, are refused. */
const CHARACTERS_MAX = 4096;
const DEPTH_MAX = 16;
/** Filters that change no more than digits, or say what an absent value is. */
const IGNORED = ['float', 'int', 'round', 'is_defined'];
const TOKEN =
  /\s*(?:(value_json(?:\.[A-Za-z_]\w*|\[\s*(?:'[^'\]]+'|"[^"\]]+"|\d+)\s*\])+|value(?!\w))|(\d+(?:\.\d+)?)|\|\s*([a-z_]+)\s*(?:\(([^()]*)\))?|([-+*/()]))\s*/y;

/** A number, or what is read with a number beside it. */
interface Affine {
  path: string | null;
  scale: number;
  offset: number;
}

interface Token {
  path: string | null;
  number: number | null;
  filter: { name: string; argument: number } | null;
  /** An operator or a parenthesis; `end` behind the last. */
  sign: string | null;
}

/** What a template reads; null when it does more than that. None reads the payload as it is. */
export function readTemplate(template: string | null): Template | null {
  if (template === null) return { path: '', scale: 1, offset: 0 };
  const inner = /^\{\{-?([^{}]*?)-?\}\}$/.exec(template.trim().slice(0, CHARACTERS_MAX))?.[1];
  const tokens = inner === undefined ? null : tokensOf(inner);
  const read = tokens === null ? null : parse(tokens);
  if (read?.path == null || read.scale === 0 || !Number.isFinite(read.scale) || !Number.isFinite(read.offset))
    return null;
  return { path: read.path, scale: read.scale, offset: read.offset };
}

/** Null where something else stands. */
function tokensOf(text: string): Token[] | null {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (match === null) return null;
    const [, path, digits, name, argument, sign] = match;
    tokens.push({
      path: path === undefined ? null : pathOf(path.replace(/^value(?:_json)?/, '')),
      number: digits === undefined ? null : Number(digits),
      filter: name === undefined ? null : { name, argument: Number(argument || Number.NaN) },
      sign: sign ?? null,
    });
  }
  return [...tokens, { path: null, number: null, filter: null, sign: 'end' }];
}

/** Filters bind before products, these before sums. Null for what is no such expression. */
function parse(tokens: readonly Token[]): Affine | null {
  let at = 0;
  let depth = 0;
  const sign = (...wanted: string[]): string | null => {
    const found = tokens[at]?.sign ?? null;
    if (found === null || !wanted.includes(found)) return null;
    at += 1;
    return found;
  };

  function operand(): Affine | null {
    let negative = false;
    while (sign('-') !== null) negative = !negative;
    const token = tokens[at];
    at += 1;
    let value: Affine | null = null;
    if (token?.sign === '(' && depth < DEPTH_MAX) {
      depth += 1;
      value = sum();
      depth -= 1;
      if (sign(')') === null) return null;
    } else if (token?.number != null) value = { path: null, scale: 0, offset: token.number };
    else if (token?.path != null) value = { path: token.path, scale: 1, offset: 0 };
    for (let filter = tokens[at]?.filter; value !== null && filter != null; filter = tokens[at]?.filter) {
      at += 1;
      if (filter.name === 'multiply') value = times(value, filter.argument);
      else if (filter.name === 'add') value = plus(value, { path: null, scale: 0, offset: filter.argument });
      else if (!IGNORED.includes(filter.name)) return null;
    }
    return negative ? times(value, -1) : value;
  }

  function product(): Affine | null {
    let left = operand();
    for (let by = sign('*', '/'); by !== null && left !== null; by = sign('*', '/')) {
      const right = operand();
      if (right === null) return null;
      if (right.path === null) left = by === '*' ? times(left, right.offset) : over(left, right.offset);
      else left = by === '*' && left.path === null ? times(right, left.offset) : null;
    }
    return left;
  }

  function sum(): Affine | null {
    let left = product();
    for (let by = sign('+', '-'); by !== null && left !== null; by = sign('+', '-')) {
      const right = product();
      left = right === null ? null : plus(left, by === '+' ? right : times(right, -1));
    }
    return left;
  }

  const read = sum();
  return sign('end') === null ? null : read;
}

function times(value: Affine | null, by: number): Affine | null {
  return value === null ? null : { path: value.path, scale: value.scale * by, offset: value.offset * by };
}

function over(value: Affine, by: number): Affine {
  return { path: value.path, scale: value.scale / by, offset: value.offset / by };
}

/** Null for two that are read. */
function plus(one: Affine, other: Affine | null): Affine | null {
  if (other === null || (one.path !== null && other.path !== null)) return null;
  const { path, scale } = one.path === null ? other : one;
  return { path, scale, offset: one.offset + other.offset };
}

/** `.a['b c'][0]` as a path of ours. */
function pathOf(steps: string): string {
  return steps
    .replaceAll(/\[\s*["']([^"'\]]+)["']\s*\]/g, "['$1']")
    .replaceAll(/\[\s*(\d+)\s*\]/g, '[$1]')
    .replaceAll(/\['([A-Za-z_]\w*)'\]/g, '.$1')
    .replace(/^\./, '');
}
