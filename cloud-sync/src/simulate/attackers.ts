/** Gateways that lie: what they do to their statistics before they sign them (FORMATS.md section 6). */
import { byteReader } from '@rivulet/host';

/** What an attacker does. */
export type Attack = 'scale' | 'flip' | 'collude';

/** Every class mean and the scatter times −4: what a gateway sends that wants the model turned round. */
const SCALE = -4;
/** How far colluding attackers pull every class mean, the same way all of them, in standard deviations. */
const PULL = 3;

const FORM_CLASSES = 2;

export function tamperBy(attack: Attack): (statistics: Buffer) => Buffer {
  return (statistics) => {
    const lied = Buffer.from(statistics);
    const { classes, scatterAt, d } = classesIn(statistics);
    if (attack === 'flip') {
      // The labels turned round: each class says it is the one at the other end.
      for (const [place, { at }] of classes.entries()) {
        const other = classes[classes.length - 1 - place] as { at: number };
        statistics.copy(lied, at, other.at, other.at + 8 * (d + 1));
      }
      return lied;
    }
    for (const { at } of classes) {
      for (let j = 0; j < d; j++) {
        const place = at + 8 + 8 * j;
        const deviation = Math.sqrt(
          statistics.readDoubleLE(scatterAt + 8 * ((j * (j + 1)) / 2 + j)) / rowsOf(statistics, classes),
        );
        const mean = statistics.readDoubleLE(place);
        lied.writeDoubleLE(attack === 'scale' ? SCALE * mean : mean + PULL * deviation, place);
      }
    }
    return lied;
  };
}

function rowsOf(statistics: Buffer, classes: readonly { at: number }[]): number {
  return classes.reduce((sum, { at }) => sum + statistics.readDoubleLE(at), 0);
}

/** Where the counts of the classes stand, each with its means behind it, and where the scatter begins. */
function classesIn(statistics: Buffer): { d: number; classes: { at: number }[]; scatterAt: number } {
  const reader = byteReader(statistics, 'statistics');
  reader.skip(6);
  const form = reader.u8();
  reader.u8();
  const d = reader.u32();
  if (form !== FORM_CLASSES) throw new Error(`attackers lie about classes, not about form ${form}`);
  const classes: { at: number }[] = [];
  for (let left = reader.u32(); left > 0; left--) {
    reader.skip(reader.u32());
    classes.push({ at: reader.at });
    reader.skip(8 * (d + 1));
  }
  return { d, classes, scatterAt: reader.at };
}
