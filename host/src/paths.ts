// Paths into a payload (FORMATS.md section 3), the same language for every format: read here so that a wrong one has a place
// in the file; the core follows them. Paths through the same wildcards belong to one scope: a row for each thing met.

/** Steps of a path, paths of a source, their wildcards and conditions that the core follows (wasm-core/engine/src/decode). */
const STEPS_MAX = 32;
const PATHS_MAX = 64;
const SCOPES_MAX = 63;
const CONDITIONS_MAX = 64;

const CAPTURE = /^\{([A-Za-z][A-Za-z0-9_]{0,31})\}$/;

/** One step into a payload. */
export type Step =
  | { kind: 'name'; name: string }
  | { kind: 'index'; index: number }
  | { kind: 'each'; capture: string | null }
  | { kind: 'where'; path: Step[]; wanted: string };

/** The steps of a path such as `a.b[0].c`, `devices.{dev}.temp`, `list[*].v`, `[?n=voltage].v` or `a['b.c']`; null: none. */
export function parsePath(text: string): Step[] | null {
  const steps: Step[] = [];
  let at = 0;
  // At the start and behind a dot a name is due; at the start a bracket may stand instead.
  let nameDue = true;
  while (at < text.length || (nameDue && steps.length > 0)) {
    if (steps.length > STEPS_MAX) return null;
    let step: Step | null;
    if (text[at] === '[') {
      if (nameDue && steps.length > 0) return null;
      const quoted = text[at + 1] === "'" || quotedCondition(text, at);
      const end = text.indexOf(quoted ? "']" : ']', quoted ? at + 2 : at);
      if (end < 0) return null;
      step = bracket(text.slice(at + 1, quoted ? end + 1 : end));
      at = end + (quoted ? 2 : 1);
    } else if (nameDue) {
      const from = at;
      while (at < text.length && text[at] !== '.' && text[at] !== '[') at += 1;
      step = named(text.slice(from, at));
    } else if (text[at] === '.') {
      at += 1;
      nameDue = true;
      continue;
    } else return null;
    if (step === null) return null;
    steps.push(step);
    nameDue = false;
  }
  return steps.length <= STEPS_MAX ? steps : null;
}

/** True when at a bracket a condition begins whose value is in quotes. */
function quotedCondition(text: string, at: number): boolean {
  return text[at + 1] === '?' && text[text.indexOf('=', at) + 1] === "'" && text.indexOf('=', at) > 0;
}

function named(name: string): Step | null {
  const each = wildcard(name);
  if (each !== null) return each;
  return name === '' || /[\]{}]/.test(name) ? null : { kind: 'name', name };
}

function wildcard(text: string): Step | null {
  if (text === '*') return { kind: 'each', capture: null };
  const capture = CAPTURE.exec(text)?.[1];
  return capture === undefined ? null : { kind: 'each', capture };
}

/** The step between two brackets. */
function bracket(inner: string): Step | null {
  if (inner.startsWith("'")) return { kind: 'name', name: inner.slice(1, -1) };
  if (inner.startsWith('?')) {
    const equals = inner.indexOf('=');
    if (equals < 0) return null;
    const path = parsePath(inner.slice(1, equals));
    const value = inner.slice(equals + 1);
    const plain = path !== null && path.length > 0 && path.every(({ kind }) => kind === 'name' || kind === 'index');
    return plain ? { kind: 'where', path, wanted: value.startsWith("'") ? value.slice(1, -1) : value } : null;
  }
  return wildcard(inner) ?? (/^\d{1,6}$/.test(inner) ? { kind: 'index', index: Number(inner) } : null);
}

/** What a source takes out of a payload. */
export interface Mapping {
  fields: { name: string; path: string }[];
  time: string | null;
  seq: string | null;
  captures: { name: string; path: string }[];
  /** True when the paths begin in each of a payload's records: there is a row for each. */
  records: boolean;
}

interface PlacedPath {
  steps: Step[];
  /** The scopes it goes through, from the outside in, each named by the steps that lead there. */
  scopes: string[];
}

/** What a mapping captures for each field, or what is wrong with it. Its paths are known to be paths. */
export function checkMapping(mapping: Mapping): { captures: string[][] } | { wrong: string } {
  const place = (path: string) => placed(parsePath(path) ?? [], mapping.records);
  const fields = mapping.fields.map(({ path }) => place(path));
  const common = [mapping.time, mapping.seq].filter((path) => path !== null).map(place);
  const values = mapping.captures.map(({ name, path }) => ({ name, ...place(path) }));
  const all = [...fields, ...common, ...values];
  if (all.length > PATHS_MAX) return { wrong: `${all.length} paths, where ${PATHS_MAX} can be followed at once` };
  const scopes = new Map<string, string | null>();
  const conditions = new Set<string>();
  for (const { steps, scopes: through } of all) {
    const wildcards = steps.filter((step) => step.kind === 'each');
    for (const [index, scope] of through.entries()) {
      const capture = wildcards[index]?.capture ?? null;
      const known = scopes.get(scope) ?? null;
      if (known !== null && capture !== null && known !== capture)
        return { wrong: `{${known}} and {${capture}} for one wildcard` };
      scopes.set(scope, known ?? capture);
    }
    for (const step of steps) if (step.kind === 'where') conditions.add(JSON.stringify(step));
  }
  if (all.some(({ steps }) => steps.length > STEPS_MAX)) return { wrong: `a path of more than ${STEPS_MAX} steps` };
  if (scopes.size > SCOPES_MAX) return { wrong: `more than ${SCOPES_MAX} wildcards` };
  if (conditions.size > CONDITIONS_MAX) return { wrong: `more than ${CONDITIONS_MAX} conditions` };
  const matches = new Set([...scopes.values()].filter((name) => name !== null));
  const twice = values.find(({ name }) => matches.has(name));
  if (twice !== undefined) return { wrong: `the capture {${twice.name}} with two meanings` };
  if (fields.some((field) => !common.every((path) => reaches(path, field))))
    return { wrong: 'a time or seq further in than a field' };
  return {
    captures: fields.map((field) => [
      ...field.scopes.map((scope) => scopes.get(scope) ?? null).filter((name) => name !== null),
      ...values.filter((value) => reaches(value, field)).map(({ name }) => name),
    ]),
  };
}

function placed(path: Step[], inRecords: boolean): PlacedPath {
  const steps: Step[] = inRecords ? [{ kind: 'each', capture: null }, ...path] : path;
  const scopes: string[] = [];
  const behind: string[] = [];
  for (const [index, step] of steps.entries()) {
    // A condition on a record itself chooses among the records.
    if (inRecords && index === 1 && step.kind === 'where') continue;
    behind.push(step.kind === 'each' ? '*' : JSON.stringify(step));
    if (step.kind === 'each') scopes.push(behind.join());
  }
  return { steps, scopes };
}

/** True when a value counts for a field: it stands in the field's scope or around it. */
function reaches(value: PlacedPath, field: PlacedPath): boolean {
  const scope = value.scopes.at(-1);
  return scope === undefined || field.scopes.includes(scope);
}

/** The name that a path ends with. */
export function lastName(path: string): string {
  return /(?:^|\.|\[')([^.[\]']+)(?:'\])?$/.exec(path)?.[1] ?? path;
}
