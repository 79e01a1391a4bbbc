import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Aedes } from 'aedes';
import { afterEach, expect, test } from 'vitest';
import { createBuilding } from './building/building.ts';
import type { FeedMessage } from './feed.ts';
import { type PlaySettings, play } from './play.ts';
import { loadPosition } from './position.ts';

const directory = mkdtempSync(join(tmpdir(), 'rivulet-play-'));
const ends: (() => Promise<void> | void)[] = [() => rmSync(directory, { recursive: true })];
afterEach(async () => {
  for (const end of ends.splice(1).reverse()) await end();
});

/** A broker that keeps what it took; `slow_ms`: how long it thinks about each message. */
async function broker(port = 0, slow_ms = 0): Promise<{ port: number; taken: string[]; kill(): Promise<void> }> {
  const taken: string[] = [];
  const aedes = await Aedes.createBroker({
    concurrency: 2, // aedes allows twice as many listeners of a kind on a connection, and has three itself
    authorizePublish(_client, packet, done) {
      taken.push(`${packet.topic} ${packet.payload.toString()}`);
      if (slow_ms === 0) done(null);
      else setTimeout(() => done(null), slow_ms);
    },
  });
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('close', () => sockets.delete(socket)));
    aedes.handle(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  let killed = false;
  async function kill(): Promise<void> {
    if (killed) return;
    killed = true;
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
  }
  ends.push(kill);
  return { port: (server.address() as { port: number }).port, taken, kill };
}

function settings(port: number, more: Partial<PlaySettings> = {}): PlaySettings {
  return {
    url: `mqtt://127.0.0.1:${port}`,
    user: undefined,
    password: undefined,
    clientId: 'test-feed',
    inFlightMax: 50,
    sent: undefined,
    notice: () => {},
    speed: Number.POSITIVE_INFINITY,
    position: undefined,
    stop: new AbortController().signal,
    ...more,
  };
}

const HOURS_6 = 6 * 3_600_000;

async function messagesOf(seed: number): Promise<FeedMessage[]> {
  const feed = createBuilding({ seed, duration_ms: HOURS_6 });
  const all = [];
  for (let step = await feed.next(); step !== null; step = await feed.next()) all.push(...step.messages);
  return all;
}

test('the ledger counts what the broker took', async () => {
  const { port, taken } = await broker();
  const ledger = await play(createBuilding({ seed: 1, duration_ms: HOURS_6 }), settings(port));
  const all = await messagesOf(1);
  const count = (kind: FeedMessage['kind']) => all.filter((message) => message.kind === kind).length;
  expect(ledger).toMatchObject({
    readings: count('reading'),
    repeats: count('repeat'),
    labels: count('label'),
    unacknowledged: 0,
    finished: true,
  });
  expect(taken).toEqual(all.map((message) => `${message.topic} ${message.payload}`));
});

test('a stop ends it while its broker is away and there is no room', async () => {
  const gone = await broker();
  await gone.kill();
  const stop = new AbortController();
  const refused = Promise.withResolvers<void>();
  const playing = play(
    createBuilding({ seed: 1, duration_ms: HOURS_6 }),
    settings(gone.port, { stop: stop.signal, notice: () => refused.resolve() }),
  );
  await refused.promise;
  stop.abort();
  expect(await playing).toMatchObject({ unacknowledged: 50, finished: false });
});

test('a broker that dies and comes back gets every message', async () => {
  const first = await broker(0, 1);
  const playing = play(createBuilding({ seed: 2, duration_ms: HOURS_6 }), settings(first.port));
  while (first.taken.length < 500) await new Promise((resolve) => setTimeout(resolve, 5));
  await first.kill();
  const second = await broker(first.port);
  const ledger = await playing;
  expect(ledger.unacknowledged).toBe(0);
  const all = (await messagesOf(2)).map((message) => `${message.topic} ${message.payload}`);
  expect(new Set([...first.taken, ...second.taken])).toEqual(new Set(all));
});

test('a slow gateway slows the feed down instead of piling messages up', async () => {
  const { port, taken } = await broker(0, 2);
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 1500);
  const fast = settings(port, { speed: 360_000, stop: stop.signal, inFlightMax: 10 });
  const ledger = await play(createBuilding({ seed: 3 }), fast);
  expect(ledger.slowed_s).toBeGreaterThan(0);
  expect(ledger.readings + ledger.repeats + ledger.labels).toBeLessThanOrEqual(taken.length + 10);
});

test('a publisher that is stopped goes on where it was, and the ledger with it', async () => {
  const { port, taken } = await broker(0, 1);
  const position = { path: join(directory, 'position', 'b.json'), feed: 'building 4' };
  const stop = new AbortController();
  const watch = setInterval(() => taken.length > 800 && stop.abort(), 2);
  const first = await play(
    createBuilding({ seed: 4, duration_ms: HOURS_6 }),
    settings(port, { position, stop: stop.signal }),
  );
  clearInterval(watch);
  expect(first.finished).toBe(false);
  const earlier = loadPosition(position.path, 'building 4');
  expect(loadPosition(position.path, 'building 5')).toBeNull();
  const rest = createBuilding({ seed: 4, duration_ms: HOURS_6, position: earlier?.state });
  const second = await play(rest, settings(port, { position, sent: earlier?.sent }));
  const all = await messagesOf(4);
  expect(second).toMatchObject({ finished: true, readings: all.filter((one) => one.kind === 'reading').length });
  expect(taken).toEqual(all.map((message) => `${message.topic} ${message.payload}`));
});
