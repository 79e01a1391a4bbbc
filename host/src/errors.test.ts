import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CORE_ERRORS, ERRORS, fromCore, fromCoreOfMessage, RivuletError, toRivuletError } from './errors.ts';

describe('the registry of errors', () => {
  test('the_table_of_core_codes_is_the_one_in_the_engine', () => {
    const source = readFileSync(new URL('../../wasm-core/engine/src/error.rs', import.meta.url), 'utf8');
    const body = /pub enum CoreError \{([^}]*)\}/.exec(source)?.[1] ?? '';
    const engine = Object.fromEntries(
      [...body.matchAll(/^\s*(\w+) = (-\d+),/gm)].map((match) => [match[1], Number(match[2])]),
    );
    const host = Object.fromEntries(Object.entries(CORE_ERRORS).map(([name, { value }]) => [name, value]));
    expect(Object.keys(engine).length).toBeGreaterThan(5);
    expect(host).toEqual(engine);
  });

  test('every_core_code_has_an_error_and_an_unknown_one_too', () => {
    for (const { value, code } of Object.values(CORE_ERRORS)) expect(fromCore(value, 'ingest').code).toBe(code);
    expect(fromCore(-1, 'ingest').message).toMatch(/^ingest: /);
    expect(fromCore(-999)).toMatchObject({ code: 'RIV_CORE_UNKNOWN', mend: 'developer' });
  });

  test('what_is_wrong_with_a_message_is_said_to_whoever_sends_it', () => {
    for (const { value, code } of Object.values(CORE_ERRORS)) expect(fromCoreOfMessage(value).code).toBe(code);
    expect(fromCoreOfMessage(-4).message).toMatch(/payload .* `format` of the source/);
    expect(fromCoreOfMessage(-12).message).toBe(fromCore(-12).message);
  });

  test('every_advice_is_a_sentence_and_every_code_is_spelled_alike', () => {
    for (const [code, { todo }] of Object.entries(ERRORS)) {
      expect(code).toMatch(/^RIV_[A-Z]+(_[A-Z]+)*$/);
      expect(todo).toMatch(/^(`|[A-Z]).*\.$/);
    }
  });

  test('a_message_says_where_what_was_found_what_was_expected_and_what_to_do', () => {
    const cause = new Error('inner');
    const error = new RivuletError('RIV_CONFIG_VALUE', {
      found: 'five',
      expected: 'a number',
      where: 'a.yaml:1:2',
      cause,
    });
    expect(error.message).toBe('a.yaml:1:2: five; expected a number. Correct the value.');
    expect(error).toMatchObject({
      name: 'RivuletError',
      code: 'RIV_CONFIG_VALUE',
      mend: 'operator',
      retry: false,
      cause,
    });
    expect(new RivuletError('RIV_PORT_BUSY', { found: 'x', todo: 'Y.' }).message).toBe('x. Y.');
  });

  test('anything_thrown_becomes_a_coded_error_and_a_coded_one_stays_itself', () => {
    const coded = new RivuletError('RIV_DATA', 'x');
    expect(toRivuletError(coded)).toBe(coded);
    expect(toRivuletError(new TypeError('oops'))).toMatchObject({ code: 'RIV_INTERNAL', cause: { message: 'oops' } });
    expect(toRivuletError('text').message).toContain('text');
  });
});
