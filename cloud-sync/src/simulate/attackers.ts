/**
 * Gateways that lie. Some lie about their rows, so that all they send hangs together: labels turned round, or all rows
 * called one class by agreement. Others learn honestly and lie in what they sign (FORMATS.md section 6).
 */
import { byteReader } from '@rivulet/host';
import type { Row } from './scenario.ts';

/** What an attacker does. */
export type Attack = 'scale' | 'flip' | 'collude';

/** What a liar changes; what is not there is left as it is. */
export interface Lie {
  readonly row?: (row: Row) => Row;
  readonly statistics?: (statistics: Buffer) => Buffer;
}

/** Class means and responses times this: what a gateway sends that wants the model turned round, and more so. */
const SCALE = -4;
const FORM_CLASSES = 2;
const OWN = 1;
const FORKED = 2;
/** From this version on a logistic says how its correlations travel: in so many bits, or as floats. */
const VERSION_BITS = 3;
const FLOAT = 32;

/** `labels`: all that there are. */
export function lieOf(attack: Attack, labels: readonly string[]): Lie {
  const relabelled = (label: (label: string) => string): Lie => ({
    row: (row) => (row.label === null ? row : { ...row, label: label(row.label) }),
  });
  switch (attack) {
    case 'flip':
      return relabelled((label) => labels[labels.length - 1 - labels.indexOf(label)] as string);
    case 'collude':
      return relabelled(() => labels[0] as string);
    case 'scale':
      return { statistics: scaled };
  }
}

/** Multiplies every class mean and every response of the logistic; the scatter stays one that could be. */
function scaled(statistics: Buffer): Buffer {
  const lied = Buffer.from(statistics);
  const reader = byteReader(statistics, 'statistics');
  reader.skip(4);
  const version = reader.u16();
  const form = reader.u8();
  reader.u8();
  const d = reader.u32();
  if (form !== FORM_CLASSES) throw new Error(`attackers lie about classes, not about form ${form}`);
  const multiply = (at: number, by: number) => lied.writeDoubleLE(by * statistics.readDoubleLE(at), at);
  const classes = reader.u32();
  for (let left = classes; left > 0; left--) {
    reader.skip(reader.u32());
    for (let j = 0; j < d; j++) multiply(reader.at + 8 + 8 * j, SCALE);
    reader.skip(8 * (2 * d + 1));
  }
  reader.skip(4 * d * (d + 1));
  const parts = reader.u8();
  for (const part of [OWN, FORKED]) {
    if ((parts & part) === 0) continue;
    const bits = version < VERSION_BITS ? FLOAT : reader.u8();
    for (let left = classes + 1; left > 0; left--) turnRound(bits);
  }
  reader.finish();
  return lied;

  /** One set: its response is `SCALE` times what it was. */
  function turnRound(bits: number): void {
    multiply(reader.at + 8 + 8 * d, SCALE);
    multiply(reader.at + 8 * (d + 2) + 8 * d, Math.abs(SCALE));
    reader.skip(8 * (2 * d + 3));
    const [count, first] = [(d * (d + 1)) / 2, (d * (d - 1)) / 2];
    for (let at = reader.at + first; at < reader.at + count; at++) {
      if (bits === FLOAT) {
        const place = reader.at + 4 * (at - reader.at);
        lied.writeFloatLE(-statistics.readFloatLE(place), place);
      } else if (bits <= 8) lied.writeInt8(-statistics.readInt8(at), at);
      else {
        const code = -((statistics.readInt8(at) << 8) | statistics.readUInt8(at + count));
        lied.writeInt8(code >> 8, at);
        lied.writeUInt8(code & 0xff, at + count);
      }
    }
    reader.skip(count * (bits === FLOAT ? 4 : bits <= 8 ? 1 : 2));
  }
}
