/**
 * What the launcher writes: remarks as lines of their own, and one status that updates in place on a terminal, or a line now and
 * then where there is none. With `--json`, all of it goes to standard error, so that standard output is the outcome alone.
 */

/** Between two status lines where nothing can be updated in place. */
const PLAIN_EVERY_MS = 5000;

export interface Screen {
  /** A line that stays. */
  say(line: string): void;
  /** The status now. */
  status(line: string): void;
  /** Takes the status off, for the last lines. */
  end(): void;
}

/** A screen on a stream; `now` is any steady clock in milliseconds. */
export function createScreen(stream: NodeJS.WriteStream, now: () => number): Screen {
  const inPlace = stream.isTTY === true;
  let shown = '';
  let plainAt = Number.NEGATIVE_INFINITY;
  const wipe = () => (shown === '' ? '' : '\r\x1b[2K');
  return {
    say(line) {
      stream.write(`${wipe()}${line}\n`);
      if (shown !== '') stream.write(shown);
    },
    status(line) {
      if (inPlace) {
        const before = wipe();
        const width = Math.max(20, (stream.columns ?? 80) - 1);
        shown = line.length > width ? `${line.slice(0, width - 1)}…` : line;
        stream.write(`${before}${shown}`);
      } else if (now() - plainAt >= PLAIN_EVERY_MS) {
        plainAt = now();
        stream.write(`${line}\n`);
      }
    },
    end() {
      stream.write(wipe());
      shown = '';
    },
  };
}
