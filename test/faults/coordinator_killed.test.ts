/**
 * A coordinator that is killed with -9 at writes and syncs of its store: within the intake of deltas, their merge and the
 * releases of them. Gateways hand in again what they have no receipt for; in the end everything is there, once, and the
 * model is the one of a run without a kill, bit for bit.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeRelease } from '@rivulet/host';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeltaAnswerView, FleetView, LineageView, ModelView } from '../../cloud-sync/src/api/views.ts';
import { type CloudProcess, startCloudProcess } from '../support/cloud.ts';
import { until } from '../support/coordinator.ts';
import { call, envelopeOf, type FleetTask, learnRows, newFleet, postDelta, postEnrolment } from '../support/fleet.ts';
import { straceAbsent, withFault } from '../support/strace.ts';

const [north, south] = newFleet().slice(0, 2) as [ReturnType<typeof newFleet>[0], ReturnType<typeof newFleet>[0]];
const task = north.tasks[0] as FleetTask;
const envelopes: Buffer[] = [];
for (const gateway of [north, south, north, south]) {
  learnRows(gateway, task, 40);
  envelopes.push(envelopeOf(gateway, task));
}

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-killed-'));
  const cloud = await startCloudProcess(join(directory, 'base'));
  for (const gateway of [north, south]) await postEnrolment(cloud.url, gateway);
  await cloud.stop();
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Hands everything in, until the process ends or all is released; answers the seqs that have a receipt. */
async function handIn(cloud: CloudProcess): Promise<void> {
  for (const envelope of envelopes) {
    const { receipt } = (await postDelta(cloud.url, envelope)) as DeltaAnswerView;
    expect(['accepted', 'duplicate', 'superseded']).toContain(receipt.outcome);
    await new Promise((released) => setTimeout(released, 60));
  }
}

/** The model of everything, once it is released. */
async function outcome(cloud: CloudProcess) {
  const model = await until(async () => {
    const [model] = (await call(cloud.url, '/api/v1/tasks')) as ModelView[];
    if (!model?.head) return null;
    const lineage = (await call(cloud.url, `/api/v1/releases/${model.head}/lineage`)) as LineageView;
    return lineage.rows === 160 && lineage;
  }, 'the release of everything');
  const bytes = Buffer.from(await (await fetch(`${cloud.url}/api/v1/releases/${model.hash}`)).arrayBuffer());
  const { coordinator } = (await call(cloud.url, '/api/v1/fleet')) as FleetView;
  const { lineage, rows, gateways } = model;
  return {
    model: Buffer.from(decodeRelease(bytes).model).toString('hex'),
    lineage,
    rows,
    gateways,
    deltas: coordinator.deltas,
  };
}

describe.skipIf(straceAbsent !== null)(`a coordinator that is killed ${straceAbsent ?? ''}`, () => {
  it.each([
    ['before a sync', 'fsync', 1],
    ['before a write', 'pwrite64', 11],
  ])(
    '%s loses nothing, counts nothing twice, and comes to the same model',
    async (_, call_, step) => {
      const straight = join(directory, `straight-${call_}`);
      await cp(join(directory, 'base'), straight, { recursive: true });
      const whole = await startCloudProcess(straight);
      await handIn(whole);
      const expected = await outcome(whole);
      await whole.stop();
      expect(expected.deltas).toBe(envelopes.length);

      let kills = 0;
      for (let when = 1; ; when += step) {
        const state = join(directory, `${call_}-${when}`);
        await cp(join(directory, 'base'), state, { recursive: true });
        const before = withFault(`${call_}:signal=KILL:when=${when}`, join(state, 'coordinator.sqlite-wal'));
        const traced = await startCloudProcess(state, { before }).catch(() => null);
        const died =
          traced === null ||
          (await handIn(traced).then(
            () => false,
            () => true,
          ));
        if (!died) {
          await traced?.kill();
          break;
        }
        await traced?.ended();
        kills += 1;
        const again = await startCloudProcess(state);
        await handIn(again);
        expect([when, await outcome(again)]).toEqual([when, expected]);
        await again.stop();
        await rm(state, { recursive: true });
      }
      expect(kills).toBeGreaterThan(3);
    },
    240_000,
  );
});
