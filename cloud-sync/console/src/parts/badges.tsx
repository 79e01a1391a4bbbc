// Small marks that stand beside names. Each says in a word what its colour says.
import { figureOfCount } from '../model/figures.ts';

export function Simulated() {
  return (
    <span class="badge badge-simulated" title="Its messages come from a simulation, not from the world">
      simulated
    </span>
  );
}

export function Twice() {
  return (
    <span class="badge badge-warn" title="Two gateways live with this one's key: what they hand in does not count">
      twice
    </span>
  );
}

export function Kind({ kind }: { kind: string }) {
  return <span class="badge">{kind}</span>;
}

/** @param known false while the coordinator is away: what was true then may not be so now. */
export function UpDown({ up, known }: { up: boolean; known: boolean }) {
  return (
    <span class={`updown ${up ? 'is-up' : 'is-down'} ${known ? '' : 'is-unsure'}`}>
      <span class="dot" aria-hidden="true" />
      {known ? (up ? 'up' : 'down') : up ? 'was up' : 'was down'}
    </span>
  );
}

export function Alarms({ count }: { count: number }) {
  return (
    <span class="badge badge-warn" title="Since the gateways began">
      {figureOfCount(count)} {count === 1 ? 'alarm' : 'alarms'}
    </span>
  );
}

export function ReleaseMark() {
  return (
    <span class="badge badge-accent" title="A release of the coordinator, merged from the whole fleet">
      fleet
    </span>
  );
}
