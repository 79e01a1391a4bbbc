/** A model's schema (FORMATS.md section 6), parsed at the door. */
import { RivuletError, type TaskKind } from '@rivulet/host';
import type { Form } from '../drivers/store.ts';

const KINDS: readonly string[] = ['forecast', 'regression', 'classification', 'anomaly'] satisfies TaskKind[];
/** Features of a model: with more, statistics would not fit into a delta either. */
const FEATURES_MAX = 1_024;

export interface Schema {
  readonly task: string;
  readonly kind: TaskKind;
  readonly target: string;
  readonly horizonMs: number;
  readonly features: readonly string[];
}

/** Parses a schema; throws `RIV_SCHEMA_MISMATCH` for anything this coordinator does not know. Never guesses. */
export function parseSchema(text: string): Schema {
  const root = parseJson(text);
  const { task, kind, target, horizon_ms: horizonMs, features, definitions, ...rest } = root;
  if (Object.keys(rest).length > 0) throw refuse(`a schema with the unknown key ${Object.keys(rest)[0]}`);
  if (typeof task !== 'string' || task === '') throw refuse('a schema without a task');
  if (typeof kind !== 'string' || !KINDS.includes(kind)) throw refuse(`a schema of the kind ${JSON.stringify(kind)}`);
  if (typeof target !== 'string') throw refuse('a schema without a target');
  if (typeof horizonMs !== 'number' || !(horizonMs >= 0)) throw refuse('a schema without a horizon');
  if (definitions !== undefined && !/^[0-9a-f]{32}$/.test(String(definitions)))
    throw refuse('definitions that are no hash');
  if (!isNames(features)) throw refuse('a schema without a list of features');
  return { task, kind: kind as TaskKind, target, horizonMs, features };
}

/** Which statistics a kind of task sends. */
export function formOf(kind: TaskKind): Form {
  return kind === 'classification' ? 2 : 1;
}

function parseJson(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // falls through to the refusal
  }
  throw refuse('a schema that is not a JSON object');
}

function isNames(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= FEATURES_MAX &&
    value.every((name) => typeof name === 'string')
  );
}

function refuse(found: string): RivuletError {
  return new RivuletError('RIV_SCHEMA_MISMATCH', { found, expected: 'the form of FORMATS.md section 6' });
}
