// The bar: where one is, whether the figures are live, and the light.
import type { Connection } from '../live/connection.ts';
import { figureOfAge } from '../model/figures.ts';
import { THEMES, theme } from '../theme.ts';

export function TopBar({ connection, now }: { connection: Connection; now: number }) {
  return (
    <header class="bar">
      <a class="brand" href="#/">
        <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true" focusable="false">
          <path
            d="M5 11c5 0 5 5 10 5s5-5 12-5M5 20c5 0 5 5 10 5s5-5 12-5"
            fill="none"
            stroke="currentColor"
            stroke-width="3.4"
            stroke-linecap="round"
          />
        </svg>
        Rivulet
      </a>
      <Pulse connection={connection} now={now} />
      <fieldset class="light">
        <legend class="unseen">Colours</legend>
        {THEMES.map((name) => (
          <label key={name}>
            <input
              type="radio"
              name="theme"
              value={name}
              checked={theme.value === name}
              onChange={() => {
                theme.value = name;
              }}
            />
            <span>{name}</span>
          </label>
        ))}
      </fieldset>
    </header>
  );
}

const WORDS: Record<Connection['state'], string> = {
  loading: 'Connecting',
  live: 'Live',
  stale: 'Stale',
  disconnected: 'Disconnected',
};

function Pulse({ connection, now }: { connection: Connection; now: number }) {
  const heard = connection.state === 'loading' ? null : connection.heard_at;
  return (
    <p class={`pulse pulse-${connection.state}`}>
      <span class="dot" aria-hidden="true" />
      {WORDS[connection.state]}
      {heard !== null && <span class="pulse-age"> · {figureOfAge(heard, now)}</span>}
    </p>
  );
}
