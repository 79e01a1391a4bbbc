// The ledger on the screen: sums over gateways, and the check that it adds up, made here again from the terms instead of
// being believed.
import { figureOfCount } from './figures.ts';
import { LEDGER_CLASSES, type Ledger, type LedgerClass, type Source } from './wire.ts';

/** What each class means, for titles and headings. */
export const LEDGER_MEANINGS: Record<LedgerClass, string> = {
  used: 'decoded, in time, counted once',
  late: 'came after every window that could hold it had closed',
  duplicate: 'seen before, left out',
  retained: 'an initial value the broker kept; sets last values only',
  filtered: 'nobody asked for it, or a rule let none of it through',
  quarantined: 'could not be read; kept for a look',
};

const VIOLATIONS: Record<string, string> = {
  range: 'out of range',
  rate: 'changed too fast',
  stuck: 'stuck',
  word: 'no word of theirs',
};

/** Why messages of a source are in quarantine and which readings broke their contract, in words; empty when all is well. */
export function reasonsOf({ quarantined_by, violations }: Pick<Source, 'quarantined_by' | 'violations'>): string[] {
  return [
    ...Object.entries(quarantined_by).map(([code, n]) => `${figureOfCount(n)} quarantined: ${code}`),
    ...Object.entries(violations).map(([word, n]) => `${figureOfCount(n)} readings ${VIOLATIONS[word] ?? word}`),
  ];
}

export function sumOfClasses(ledger: Ledger): number {
  return LEDGER_CLASSES.reduce((sum, name) => sum + ledger[name], 0);
}

export function addsUp(ledger: Ledger): boolean {
  return sumOfClasses(ledger) === ledger.received;
}

export function sumOfLedgers(ledgers: readonly Ledger[]): Ledger {
  const sum: Ledger = { received: 0, used: 0, late: 0, duplicate: 0, retained: 0, filtered: 0, quarantined: 0 };
  for (const ledger of ledgers) {
    sum.received += ledger.received;
    for (const name of LEDGER_CLASSES) sum[name] += ledger[name];
  }
  return sum;
}
