/**
 * A small TCP proxy that stands between two processes and does to their bytes what networks do: delays them, cuts
 * them into pieces, cuts the connection at any byte, resets it, or keeps it open while nothing passes any more.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  port: number;
  url: string;
  /** Bytes from now on are handed over this much later. */
  delay(ms: number): void;
  /** Bytes from now on are handed over in pieces of 1 to `bytes`; 0: as they come. */
  pieces(bytes: number): void;
  /** Closes every connection after so many more bytes towards the client; each new one as well, until `restore`. */
  cutAfter(bytes: () => number): void;
  /** Ends every connection with RST, what is under way thrown away. */
  reset(): void;
  /** Nothing passes on the connections of now, and they stay open; new ones are accepted and get no answer. */
  halfOpen(): void;
  /** New connections are what they should be; those that were half open are closed. */
  restore(): void;
  /** Connections accepted so far. */
  accepted(): number;
  stop(): Promise<void>;
}

/** @param random in [0, 1): sizes of pieces */
export async function startProxy(target: number, random: () => number = Math.random): Promise<TcpProxy> {
  const pairs = new Set<{ client: Socket; server: Socket; stuck: boolean; left: number }>();
  let delayMs = 0;
  let pieceBytes = 0;
  let cut: (() => number) | null = null;
  let stuck = false;
  let accepted = 0;

  const server = createServer({ noDelay: true }, (client) => {
    accepted += 1;
    const upstream = connect({ host: '127.0.0.1', port: target, noDelay: true });
    const pair = { client, server: upstream, stuck, left: cut?.() ?? Number.POSITIVE_INFINITY };
    pairs.add(pair);
    forward(pair, upstream, client, true);
    forward(pair, client, upstream, false);
  });

  function forward(pair: { stuck: boolean; left: number }, from: Socket, to: Socket, counted: boolean): void {
    from.on('error', () => undefined);
    from.on('data', (bytes) => {
      if (pair.stuck) {
        return;
      }
      let rest: Buffer = bytes;
      if (counted) {
        rest = bytes.subarray(0, pair.left);
        pair.left -= rest.length;
      }
      while (rest.length > 0) {
        const size = pieceBytes === 0 ? rest.length : 1 + Math.floor(random() * pieceBytes);
        hand(to, rest.subarray(0, size));
        rest = rest.subarray(size);
      }
      if (pair.left <= 0) {
        later(() => {
          from.destroy();
          to.end();
        });
      } else if (to.writableNeedDrain) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
    from.on('end', () => pair.stuck || later(() => to.end()));
    from.on('close', () => pair.stuck || later(() => to.destroySoon()));
  }

  function later(act: () => void): void {
    if (delayMs > 0) {
      setTimeout(act, delayMs);
    } else {
      act();
    }
  }

  function hand(to: Socket, bytes: Buffer): void {
    later(() => to.writable && to.write(bytes));
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;

  function end(act: (socket: Socket) => void, which: (pair: { stuck: boolean }) => boolean = () => true): void {
    for (const pair of pairs) {
      if (which(pair)) {
        pairs.delete(pair);
        act(pair.client);
        act(pair.server);
      }
    }
  }

  return {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    delay: (ms) => {
      delayMs = ms;
    },
    pieces: (bytes) => {
      pieceBytes = bytes;
    },
    cutAfter: (bytes) => {
      cut = bytes;
      for (const pair of pairs) {
        pair.left = bytes();
      }
    },
    reset: () => end((socket) => socket.resetAndDestroy()),
    halfOpen: () => {
      stuck = true;
      for (const pair of pairs) {
        pair.stuck = true;
      }
    },
    restore: () => {
      stuck = false;
      cut = null;
      for (const pair of pairs) {
        pair.left = Number.POSITIVE_INFINITY;
      }
      end(
        (socket) => socket.destroy(),
        (pair) => pair.stuck,
      );
    },
    accepted: () => accepted,
    async stop() {
      end((socket) => socket.destroy());
      server.close();
      await once(server, 'close').catch(() => undefined);
    },
  };
}
