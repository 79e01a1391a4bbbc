/** The gateway's side of sync: the outbox on a real disk, calls against a real HTTP server of the test. */
import { createHash, generateKeyPairSync, sign as signWith } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeEnvelope, encodeEnvelope, publicKeyBytes } from '@rivulet/host';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Receipt } from './answers.ts';
import { connectCoordinator } from './coordinator.ts';
import { openOutbox } from './outbox.ts';
import { nextAttemptMs } from './retry.ts';

let directory = '';
const closing: (() => void)[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-sync-'));
});
afterEach(async () => {
  for (const close of closing.splice(0)) {
    close();
  }
  await rm(directory, { recursive: true, force: true });
});

const incarnation = Buffer.alloc(16, 7);
const gateway = generateKeyPairSync('ed25519');
const coordinator = generateKeyPairSync('ed25519');
const signer = { gateway: 'g', sign: (bytes: Uint8Array) => signWith(null, bytes, gateway.privateKey) };
const coordinatorKey = publicKeyBytes(coordinator.publicKey).toString('base64');

const open = () =>
  openOutbox(
    directory,
    () => incarnation.toString('hex'),
    (content) => encodeEnvelope(content, (bytes) => signWith(null, bytes, gateway.privateKey)),
  );

function content(task: string, statistics: string) {
  return {
    ...{ gateway: 'g', incarnation, wallMs: 1, task, baseRelease: Buffer.alloc(32), kernelHash: Buffer.alloc(32) },
    ...{ schema: Buffer.from('{}'), payload: Buffer.from(statistics) },
  };
}

function receiptFor(bytes: Buffer): Receipt {
  const { seq, payloadHash } = decodeEnvelope(bytes);
  const payload_hash = payloadHash.toString('hex');
  return { gateway: 'g', incarnation: incarnation.toString('hex'), seq, payload_hash, outcome: 'accepted' };
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('the outbox', () => {
  it('keeps one newest envelope per task over restarts, and never gives a number twice', async () => {
    const first = await open();
    await first.put(content('a', '1'));
    await first.put(content('b', '1'));
    await first.put(content('a', '2'));
    const second = await open();
    expect(second.waiting().map(({ task, seq }) => [task, seq])).toEqual([
      ['b', 2],
      ['a', 3],
    ]);
    await second.put(content('c', '1'));
    expect(second.waiting().at(-1)?.seq).toBe(4);
  });

  it('forgets an envelope only by a receipt that names it, and then does not send the same again', async () => {
    const outbox = await open();
    await outbox.put(content('a', '1'));
    const [waiting] = outbox.waiting();
    const receipt = receiptFor(waiting?.bytes as Buffer);
    expect(await outbox.signedFor({ ...receipt, seq: 99 })).toBe(false);
    expect(await outbox.signedFor({ ...receipt, payload_hash: 'ff' })).toBe(false);
    expect(await outbox.signedFor({ ...receipt, incarnation: 'ff' })).toBe(false);
    expect(outbox.waiting().length).toBe(1);
    expect(await outbox.signedFor(receipt)).toBe(true);
    const later = await open();
    await later.put(content('a', '1'));
    expect(later.waiting()).toEqual([]);
    await later.put(content('a', '2'));
    expect(later.waiting()[0]?.seq).toBe(2);
  });
});

it('the outbox drops what is refused for good, and offers only something new again', async () => {
  const outbox = await open();
  await outbox.put(content('a', '1'));
  await outbox.refused(outbox.waiting()[0]?.seq as number);
  expect(outbox.waiting()).toEqual([]);
  const later = await open();
  await later.put(content('a', '1'));
  expect(later.waiting()).toEqual([]);
  await later.put(content('a', '2'));
  expect(later.waiting().length).toBe(1);
});

describe('what the coordinator lost', () => {
  it('is handed in again, but not what it never took in', async () => {
    const outbox = await open();
    const handIn = async (task: string, outcome: Receipt['outcome'], reason?: string): Promise<string> => {
      await outbox.put(content(task, '1'));
      const waiting = outbox.waiting().find((envelope) => envelope.task === task);
      const receipt = receiptFor(waiting?.bytes as Buffer);
      await outbox.signedFor({ ...receipt, outcome, ...(reason === undefined ? {} : { reason }) });
      return waiting?.schema as string;
    };
    const schema = await handIn('a', 'accepted');
    await handIn('b', 'quarantined', 'it does not add up');
    await handIn('c', 'duplicate', 'it does not add up');
    await handIn('d', 'superseded');
    const held = { schema, incarnation: incarnation.toString('hex'), seq: 1 };
    expect(await outbox.compare([held])).toBe(0);
    expect(await outbox.compare([{ ...held, incarnation: '00' }])).toBe(1);
    const later = await open();
    for (const task of ['a', 'b', 'c', 'd']) {
      await later.put(content(task, '1'));
    }
    expect(later.waiting().map(({ task }) => task)).toEqual(['a']);
  });
});

describe('calls to the coordinator', () => {
  const answer = (receipt: Receipt, key = coordinator.privateKey) =>
    JSON.stringify({
      receipt,
      signature: signWith(null, Buffer.from(JSON.stringify(receipt)), key).toString('base64'),
      heads: [
        { task: 'a', schema: 'x', release: createHash('sha256').digest('hex') },
        { task: 'a', schema: 'x', release: '../../etc/passwd' },
      ],
      retry_after_s: 0,
    });

  it('take a receipt that is signed by the pinned key, and heads that are well-formed', async () => {
    const receipt: Receipt = { gateway: 'g', incarnation: '', seq: 1, payload_hash: '', outcome: 'accepted' };
    const url = await serve((_, response) => response.end(answer(receipt)));
    const result = await connectCoordinator(url, null).sendDelta(Buffer.alloc(3), coordinatorKey, signer);
    expect(result.receipt).toEqual(receipt);
    expect(result.heads.length).toBe(1);
  });

  it('refuse a receipt that somebody else signed', async () => {
    const receipt: Receipt = { gateway: 'g', incarnation: '', seq: 1, payload_hash: '', outcome: 'accepted' };
    const url = await serve((_, response) => response.end(answer(receipt, gateway.privateKey)));
    await expect(
      connectCoordinator(url, null).sendDelta(Buffer.alloc(3), coordinatorKey, signer),
    ).rejects.toMatchObject({
      code: 'RIV_SYNC_ANSWER',
    });
  });

  it('tell a coordinator that is away or busy from one that refuses', async () => {
    const away = connectCoordinator('http://127.0.0.1:1', null);
    await expect(away.fetchRelease('00')).rejects.toMatchObject({ code: 'RIV_SYNC_UNREACHABLE', retry: true });
    const url = await serve((request, response) => {
      response.statusCode = request.url?.endsWith('busy') ? 503 : 409;
      response.setHeader('retry-after', '7');
      response.end(JSON.stringify({ error: { code: 'RIV_GATEWAY_KEY', message: 'another key' } }));
    });
    const here = connectCoordinator(url, 'token');
    await expect(here.fetchRelease('busy')).rejects.toMatchObject({ code: 'RIV_SYNC_UNREACHABLE' });
    expect(here.retryWindow()).toEqual({ fromMs: 7000, toMs: 14_000 });
    await expect(here.fetchRelease('x')).rejects.toMatchObject({ code: 'RIV_GATEWAY_KEY', retry: false });
  });

  it('refuse an answer without end', async () => {
    const url = await serve((_, response) => {
      const part = Buffer.alloc(1 << 20);
      const pump = (): void => {
        while (!response.destroyed && response.write(part)) {}
        response.once('drain', pump);
      };
      pump();
    });
    await expect(connectCoordinator(url, null).fetchRelease('00')).rejects.toThrow('an answer of more than');
  });
});

describe('what is not wanted', () => {
  it('is offered again once the gateway is let back in, over a restart too', async () => {
    const outbox = await open();
    await outbox.put(content('a', '1'));
    await outbox.refused(1);
    await outbox.put(content('a', '1'));
    expect(outbox.waiting()).toEqual([]);
    const restarted = await open();
    expect(await restarted.offerAgain('kernel')).toBe(0);
    expect(await restarted.offerAgain('forgotten')).toBe(1);
    expect(await restarted.offerAgain('forgotten')).toBe(0);
    await restarted.put(content('a', '1'));
    expect(restarted.waiting().map(({ task, seq }) => [task, seq])).toEqual([['a', 2]]);
  });

  it('is offered again once its core is taken, even when the first receipt got lost', async () => {
    const outbox = await open();
    const answers = [
      { outcome: 'quarantined', code: 'RIV_KERNEL_UNKNOWN' },
      { outcome: 'duplicate', reason: 'it was made by the core 07' },
      { outcome: 'quarantined', code: 'RIV_SCHEMA_MISMATCH' },
      { outcome: 'duplicate' },
    ] as const;
    for (const [at, answer] of answers.entries()) {
      await outbox.put(content(`task-${at}`, '1'));
      await outbox.signedFor({ ...receiptFor(outbox.waiting()[0]?.bytes as Buffer), ...answer });
    }
    const restarted = await open();
    expect(await restarted.offerAgain('kernel')).toBe(2);
    for (const at of answers.keys()) await restarted.put(content(`task-${at}`, '1'));
    expect(restarted.waiting().map(({ task }) => task)).toEqual(['task-0', 'task-1']);
  });
});

describe('the decision when to try again', () => {
  const table: [Parameters<typeof nextAttemptMs>[0], number][] = [
    [{ failures: 0, everyMs: 1000, window: null, random: 0.5 }, 1000],
    [{ failures: 0, everyMs: 1000, window: { fromMs: 4000, toMs: 6000 }, random: 0.5 }, 5000],
    [{ failures: 1, everyMs: 1000, window: null, random: 0 }, 500],
    [{ failures: 4, everyMs: 1000, window: null, random: 1 }, 8000],
    [{ failures: 400, everyMs: 1000, window: null, random: 1 }, 300_000],
    [{ failures: 1, everyMs: 1000, window: { fromMs: 1e12, toMs: 1e12 }, random: 1 }, 3_600_000],
  ];
  it.each(table)('%o', (facts, waitMs) => {
    expect(nextAttemptMs(facts)).toBeCloseTo(waitMs, 6);
  });
});
