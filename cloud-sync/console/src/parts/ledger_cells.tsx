// The ledger as a sum that can be read across: the six terms, what was received, and whether they agree.
import { figureOfCount } from '../model/figures.ts';
import { addsUp, LEDGER_MEANINGS, sumOfClasses } from '../model/ledger.ts';
import { LEDGER_CLASSES, type Ledger } from '../model/wire.ts';

/** Header cells for LedgerCells. */
export function LedgerHeads() {
  return (
    <>
      {LEDGER_CLASSES.map((name, index) => (
        <th key={name} scope="col" class={`n term ${index === 0 ? 'first' : ''}`} title={LEDGER_MEANINGS[name]}>
          {name}
        </th>
      ))}
      <th scope="col" class="n sum">
        received
      </th>
    </>
  );
}

export function LedgerCells({ ledger }: { ledger: Ledger }) {
  return (
    <>
      {LEDGER_CLASSES.map((name, index) => (
        <td key={name} class={`n term ${index === 0 ? 'first' : ''} ${ledger[name] === 0 ? 'zero' : ''}`}>
          {figureOfCount(ledger[name])}
        </td>
      ))}
      <td class="n sum">
        {figureOfCount(ledger.received)} <SumMark ledger={ledger} />
      </td>
    </>
  );
}

/** The same for narrow pages: one row per term, the sum under a rule. */
export function LedgerList({ ledger }: { ledger: Ledger }) {
  return (
    <dl class="ledger-list">
      {LEDGER_CLASSES.map((name) => (
        <div key={name} class={ledger[name] === 0 ? 'zero' : ''}>
          <dt>{name}</dt>
          <dd>{figureOfCount(ledger[name])}</dd>
        </div>
      ))}
      <div class="sum">
        <dt>received</dt>
        <dd>
          {figureOfCount(ledger.received)} <SumMark ledger={ledger} />
        </dd>
      </div>
    </dl>
  );
}

/** A tick when the terms make the sum; otherwise by how much they miss it. */
export function SumMark({ ledger }: { ledger: Ledger }) {
  if (addsUp(ledger)) {
    return (
      <span class="adds" title="The six terms add up to what was received">
        <span aria-hidden="true">✓</span>
        <span class="unseen">adds up</span>
      </span>
    );
  }
  const missing = ledger.received - sumOfClasses(ledger);
  return (
    <span class="adds-not" title="The six terms do not add up to what was received">
      {missing > 0 ? `${figureOfCount(missing)} missing` : `${figureOfCount(-missing)} too many`}
    </span>
  );
}
