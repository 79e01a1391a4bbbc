import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Field, writeBytes } from './bytes.ts';
import { RivuletError } from './errors.ts';
import { decodeOutputs } from './outputs.ts';

function record(kind: number, fields: Field[]): Buffer {
  const body = writeBytes([{ u8: kind }, { u8: 0 }, { u16: 3 }, { u64: 70 }, { u32: 2 }, ...fields]);
  return writeBytes([{ u32: body.length + 4 }, { raw: body }]);
}
const f64s = (...values: number[]): Field[] => values.map((f64) => ({ f64 }));
const caused = { subject: 3, offset: 70, ordinal: 2, id: '70-2' };

const prediction = record(1, [
  { str: 'room' },
  ...f64s(1, 2, 3, 4, 5, 6, 7),
  { str: 'yes' },
  { raw: Buffer.from('0102030405060708', 'hex') },
]);
const window = record(2, [
  { str: 'room' },
  { str: 'co2' },
  ...f64s(1, 2),
  { u64: 9 },
  { u32: 1 },
  { u8: 1 },
  { u16: 3 },
  ...f64s(3, 4, 5),
  { u16: 2 },
  { u16: 1 },
  ...f64s(6, 7),
  { u16: 0 },
]);
const alarm = record(3, [{ str: 'k' }, ...f64s(1, 2, 3, 4)]);
const late = record(4, [{ str: 'k' }, { str: 'f' }, ...f64s(1, 2, 3)]);
const quarantine = record(5, [
  { u16: 1 },
  { raw: Buffer.from('f9ffffff', 'hex') },
  { u32: 12 },
  { u64: 34 },
  { str: '/d/3/t' },
]);
const all = Buffer.concat([prediction, window, alarm, late, quarantine]);

describe('outputs of the core', () => {
  test('are_decoded_by_kind_in_their_order', () => {
    expect([...decodeOutputs(all)]).toEqual([
      {
        kind: 'prediction',
        ...caused,
        key: 'room',
        at: 1,
        horizonMs: 2,
        value: 3,
        low: 4,
        high: 5,
        error: 6,
        errorLastValue: 7,
        class: 'yes',
        release: '0102030405060708',
      },
      {
        kind: 'window',
        ...caused,
        key: 'room',
        field: 'co2',
        start: 1,
        end: 2,
        count: 9,
        revision: 1,
        final: true,
        values: [3, 4, 5],
        lists: [[[6, 7]], []],
      },
      { kind: 'alarm', ...caused, key: 'k', at: 1, value: 2, expected: 3, score: 4 },
      { kind: 'late', ...caused, key: 'k', field: 'f', time: 1, value: 2, watermark: 3 },
      { kind: 'quarantine', ...caused, source: 1, code: -7, at: 12, sequence: 34, path: '/d/3/t' },
    ]);
  });

  test('that_nobody_wants_are_passed_over', () => {
    const asked: string[] = [];
    const found = [
      ...decodeOutputs(all, (kind, subject) => {
        asked.push(`${kind} ${subject}`);
        return kind === 'window' || kind === 'quarantine';
      }),
    ];
    expect(found.map(({ kind }) => kind)).toEqual(['window', 'quarantine']);
    expect(asked).toEqual(['prediction 3', 'window 3', 'alarm 3', 'late 3', 'quarantine 3']);
  });

  test('without_a_release_say_so', () => {
    const bytes = Buffer.from(prediction);
    bytes.fill(0, bytes.length - 8);
    expect([...decodeOutputs(bytes)][0]).toMatchObject({ release: null });
  });

  test('cut_anywhere_are_refused_with_a_code_after_the_whole_records', () => {
    const ends = [0];
    for (const { length } of [prediction, window, alarm, late, quarantine]) ends.push((ends.at(-1) as number) + length);
    for (let length = 0; length < all.length; length++) {
      const found: unknown[] = [];
      let code = '';
      try {
        for (const output of decodeOutputs(all.subarray(0, length))) found.push(output);
      } catch (thrown) {
        code = (thrown as RivuletError).code;
      }
      expect(found.length).toBe(ends.filter((end) => end <= length).length - 1);
      expect(code !== '').toBe(!ends.includes(length));
    }
  });

  test('of_an_unknown_kind_or_with_bytes_left_over_are_refused', () => {
    expect(() => [...decodeOutputs(record(99, []))]).toThrow(expect.objectContaining({ code: 'RIV_FOREIGN' }));
    expect(() => [...decodeOutputs(record(3, [{ str: 'k' }, ...f64s(1, 2, 3, 4, 5)]))]).toThrow(
      expect.objectContaining({ code: 'RIV_CORRUPT' }),
    );
  });

  test('any_damage_decodes_or_is_refused_with_a_code', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(all.length - 1), fc.nat(255)), { maxLength: 8 }), (flips) => {
        const bytes = Buffer.from(all);
        for (const [at, value] of flips) bytes[at] = value;
        try {
          for (const _ of decodeOutputs(bytes));
        } catch (thrown) {
          if (!(thrown instanceof RivuletError)) throw thrown;
        }
      }),
      { numRuns: 1000 },
    );
  });
});
