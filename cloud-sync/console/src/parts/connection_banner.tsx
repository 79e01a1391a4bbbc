// Says so, at once and in words, when the figures on the page are not those of now.
import type { Connection } from '../live/connection.ts';
import { figureOfAge, figureOfTime } from '../model/figures.ts';

interface Props {
  connection: Connection;
  now: number;
  retry: () => void;
}

export function ConnectionBanner({ connection, now, retry }: Props) {
  const message = messageOf(connection);
  // The live region stays in the page, so that a reader hears it change; the seconds are outside of it.
  return (
    <div class={`banner-slot ${message === null ? 'unseen' : ''}`}>
      <div class="banner">
        <p role="status">{message}</p>
        {connection.state === 'disconnected' && (
          <>
            <p class="banner-figures" aria-hidden="true">
              {connection.heard_at !== null && `${figureOfAge(connection.heard_at, now)} · `}
              next try in {Math.max(0, Math.ceil((connection.retry_at - now) / 1000))} s
            </p>
            <button type="button" class="button" onClick={retry}>
              Try now
            </button>
          </>
        )}
      </div>
    </div>
  );
}

function messageOf(connection: Connection): string | null {
  switch (connection.state) {
    case 'loading':
    case 'live':
      return null;
    case 'stale':
      return `Nothing heard since ${figureOfTime(connection.heard_at)}. The figures may be old.`;
    case 'disconnected':
      return connection.heard_at === null
        ? 'The coordinator does not answer.'
        : `The coordinator does not answer. These are the figures of ${figureOfTime(connection.heard_at)}. Gateways go on learning without it.`;
  }
}
