/** An envelope that is too long for one call, over a network that breaks and to a coordinator that dies on the way. */
import { sign } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compressBody, decodePiece, encodePiece, PIECE_BYTES_MAX } from '@rivulet/host';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FleetView } from '../../cloud-sync/src/api/views.ts';
import { type Coordinator, connectCoordinator } from '../../edge-agent/src/sync/coordinator.ts';
import { type CloudProcess, startCloudProcess } from '../support/cloud.ts';
import { call, envelopeOf, type FleetTask, learnRows, newFleetGateway, postEnrolment } from '../support/fleet.ts';
import { freePort } from '../support/mosquitto.ts';
import { startProxy, type TcpProxy } from '../support/proxy.ts';

const FEATURES = 160;
const WIDE: FleetTask = {
  ...{ name: 'wide', kind: 'forecast', target: 'x0', horizonMs: 1000, baseline: 1, floor: 1 },
  features: Array.from({ length: FEATURES }, (_, at) => `x${at}`),
};

let state = '';
let cloud: CloudProcess;
let proxy: TcpProxy;
let port = 0;
const gateway = newFleetGateway('wide', '', false, [WIDE]);
learnRows(gateway, WIDE, 2 * FEATURES + 20);
const signer = { gateway: gateway.id, sign: (bytes: Uint8Array) => sign(null, bytes, gateway.privateKey) };

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'rivulet-long-'));
  port = await freePort();
  cloud = await startCloudProcess(state, { port });
  proxy = await startProxy(port);
});
afterEach(async () => {
  await proxy.stop();
  await cloud.kill();
  await rm(state, { recursive: true, force: true });
});

/** A connection through the proxy, and the key it enrolled at. */
async function connected(): Promise<{ coordinator: Coordinator; key: string }> {
  const { coordinator_key } = (await postEnrolment(cloud.url, gateway)) as { coordinator_key: string };
  return { coordinator: connectCoordinator(proxy.url.replace('mqtt:', 'http:'), null), key: coordinator_key };
}

async function post(piece: Uint8Array): Promise<{ received: number; delta?: { receipt: { outcome: string } } }> {
  const headers = { 'content-type': 'application/octet-stream' };
  const body = Buffer.from(piece);
  return (await call(cloud.url, '/api/v1/pieces', { method: 'POST', headers, body })) as { received: number };
}

const deltas = async () => ((await call(cloud.url, '/api/v1/fleet')) as FleetView).coordinator.deltas;

describe('a long envelope', () => {
  it('goes on where it broke off, in any order of pieces, and counts once', async () => {
    const { coordinator, key } = await connected();
    const envelope = envelopeOf(gateway, WIDE);
    const { encoding, body } = compressBody(envelope);
    expect(body.length).toBeGreaterThan(PIECE_BYTES_MAX);
    const pieceAt = (offset: number) => encodePiece({ gateway: gateway.id, encoding, offset }, body, signer.sign);
    expect(await post(pieceAt(PIECE_BYTES_MAX))).toMatchObject({ received: 0 });
    expect(await post(pieceAt(0))).toMatchObject({ received: PIECE_BYTES_MAX });
    expect(await post(pieceAt(0))).toMatchObject({ received: PIECE_BYTES_MAX });
    const last = pieceAt(PIECE_BYTES_MAX);
    expect((await post(last)).delta?.receipt.outcome).toBe('accepted');
    // the answer was lost: all of it comes again
    expect(await post(last)).toMatchObject({ received: 0 });
    const { receipt } = await coordinator.sendDelta(envelope, key, signer);
    expect(receipt.outcome).toBe('duplicate');
    expect(await deltas()).toBe(1);
  }, 30_000);

  it('arrives over connections that are cut within its pieces', async () => {
    const { coordinator, key } = await connected();
    const envelope = envelopeOf(gateway, WIDE);
    let answer: { receipt: { outcome: string } } | null = null;
    // the answer to a piece is cut at ever later bytes, until one gets through
    for (let bytes = 1; answer === null; bytes += 150) {
      proxy.cutAfter(() => bytes);
      answer = await coordinator.sendDelta(envelope, key, signer).catch(() => null);
      expect(bytes).toBeLessThan(5_000);
    }
    expect(['accepted', 'duplicate']).toContain(answer.receipt.outcome);
    expect(await deltas()).toBe(1);
  }, 30_000);

  it('begins again at a coordinator that was killed with a part of it', async () => {
    const { coordinator, key } = await connected();
    const envelope = envelopeOf(gateway, WIDE);
    const { encoding, body } = compressBody(envelope);
    await post(encodePiece({ gateway: gateway.id, encoding, offset: 0 }, body, signer.sign));
    await cloud.kill();
    cloud = await startCloudProcess(state, { port });
    const { receipt } = await coordinator.sendDelta(envelope, key, signer);
    expect(receipt.outcome).toBe('accepted');
    expect(await deltas()).toBe(1);
  }, 30_000);

  it('is refused with a code when it was changed, is another than it says, or is of a stranger', async () => {
    await connected();
    const body = Buffer.alloc(100, 1);
    const piece = encodePiece({ gateway: gateway.id, encoding: 'zstd', offset: 0 }, body, signer.sign);
    await expect(post(piece)).rejects.toThrow('400 {"error":{"code":"RIV_CORRUPT"');
    const stranger = encodePiece({ gateway: 'nobody', encoding: 'zstd', offset: 0 }, body, signer.sign);
    await expect(post(stranger)).rejects.toThrow('RIV_GATEWAY_UNKNOWN');
    const { signed, signature } = decodePiece(piece);
    signed[signed.length - 1] = 2;
    await expect(post(Buffer.concat([signed, signature]))).rejects.toThrow('RIV_SIGNATURE');
  }, 30_000);
});
