/**
 * A coordinator whose disk is full, or can only be read any more: what it cannot keep is refused with a code that says to try
 * again, nothing that it signed for is lost, and it goes on by itself when the disk is well.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DeltaAnswerView, FleetView, LineageView, ModelView } from '../../cloud-sync/src/api/views.ts';
import { type CloudProcess, startCloudProcess } from '../support/cloud.ts';
import { until } from '../support/coordinator.ts';
import {
  call,
  envelopeOf,
  type FleetTask,
  learnRows,
  newFleetGateway,
  postDelta,
  postEnrolment,
} from '../support/fleet.ts';
import { straceAbsent, withFault } from '../support/strace.ts';

let directory = '';
let cloud: CloudProcess;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rivulet-disk-'));
});
afterEach(async () => {
  await cloud.kill();
  spawnSync('umount', [join(directory, 'disk')], { stdio: 'ignore' });
  await rm(directory, { recursive: true, force: true });
});

const canMount = ((): boolean => {
  const place = mkdtempSync(join(tmpdir(), 'rivulet-mount-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place]).status === 0;
  if (mounted) spawnSync('umount', [place]);
  rmSync(place, { recursive: true, force: true });
  return mounted;
})();

/** Hands deltas in until one is refused; answers how, and how many were taken. */
async function untilRefused(gateway: ReturnType<typeof newFleetGateway>): Promise<{ refusal: string; taken: number }> {
  const task = gateway.tasks[0] as FleetTask;
  for (let taken = 0; taken < 500; taken++) {
    learnRows(gateway, task, 20);
    const refusal = await postDelta(cloud.url, envelopeOf(gateway, task)).then(
      () => null,
      (error: Error) => error.message,
    );
    if (refusal !== null) return { refusal, taken };
  }
  throw new Error('nothing was refused');
}

/** Hands in what was refused once more, and waits for the release of all rows. */
async function healed(gateway: ReturnType<typeof newFleetGateway>, deltas: number): Promise<void> {
  const task = gateway.tasks[0] as FleetTask;
  const { receipt } = (await postDelta(cloud.url, envelopeOf(gateway, task, { seq: gateway.seq }))) as DeltaAnswerView;
  expect(receipt.outcome).toBe('accepted');
  await until(async () => {
    const [model] = (await call(cloud.url, '/api/v1/tasks')) as ModelView[];
    if (!model?.head) return false;
    const { rows } = (await call(cloud.url, `/api/v1/releases/${model.head}/lineage`)) as LineageView;
    return rows >= 0.95 * (gateway.rows.get(task.name)?.length ?? 0);
  }, 'a release with what was refused before');
  const { coordinator } = (await call(cloud.url, '/api/v1/fleet')) as FleetView;
  expect(coordinator.deltas).toBe(deltas + 1);
}

describe('a coordinator', () => {
  it.skipIf(!canMount)(
    'whose disk is full refuses with a code, and goes on when there is room',
    async () => {
      const disk = join(directory, 'disk');
      mkdirSync(disk);
      spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]);
      cloud = await startCloudProcess(join(disk, 'state'));
      const gateway = newFleetGateway('plant-7', '', false);
      await postEnrolment(cloud.url, gateway);
      const { bavail, bsize } = await statfs(disk);
      await writeFile(join(disk, 'ballast'), Buffer.alloc(bavail * bsize - 128 * 1024));
      const { refusal, taken } = await untilRefused(gateway);
      expect(refusal).toMatch(/^503 .*RIV_STORE.*full/);
      expect(((await call(cloud.url, '/api/v1/fleet')) as FleetView).coordinator.deltas).toBe(taken);
      await rm(join(disk, 'ballast'));
      await healed(gateway, taken);
    },
    60_000,
  );

  it.skipIf(straceAbsent !== null)(
    `whose disk becomes read-only does so too ${straceAbsent ?? ''}`,
    async () => {
      const state = join(directory, 'state');
      const before = withFault('pwrite64:error=EROFS:when=150..170', join(state, 'coordinator.sqlite-wal'));
      cloud = await startCloudProcess(state, { before });
      const gateway = newFleetGateway('plant-7', '', false);
      await postEnrolment(cloud.url, gateway);
      const { refusal, taken } = await untilRefused(gateway);
      expect(refusal).toMatch(/^503 .*RIV_ST/);
      for (let again = 0; again < 40; again++) {
        const task = gateway.tasks[0] as FleetTask;
        const answer = await postDelta(cloud.url, envelopeOf(gateway, task, { seq: gateway.seq })).catch(() => null);
        if (answer !== null) break;
      }
      learnRows(gateway, gateway.tasks[0] as FleetTask, 1);
      gateway.seq += 1;
      await healed(gateway, taken + 1);
    },
    60_000,
  );
});
