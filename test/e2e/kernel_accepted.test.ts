/** Gateways with a newer core than their coordinator: what they learned counts as soon as an operator has named that core. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentStatus, type Config, openIdentity } from '@rivulet/host';
import { expect, it } from 'vitest';
import { startSync } from '../../edge-agent/src/sync/sync.ts';
import { startCoordinator, until } from '../support/coordinator.ts';
import {
  type FleetTask,
  learnRows,
  newFleet,
  reportOf,
  schemaHash,
  schemaText,
  statisticsOf,
} from '../support/fleet.ts';

it('what was set aside for its core is offered again once the core is taken, without new rows', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-kernel-'));
  const cloud = await startCoordinator();
  const [north] = newFleet() as [ReturnType<typeof newFleet>[0]];
  const [task] = north.tasks as [FleetTask];
  learnRows(north, task, 60);
  const kernelHash = Buffer.alloc(32, 7);
  const kernel = kernelHash.toString('hex');
  const notices: string[] = [];
  const target = { url: cloud.url, token: null, tls: null, everyMs: 50, protocol: 4, bytesPerDay: null };
  const sync = await startSync(target as unknown as NonNullable<Config['sync']>, {
    config: { gateway: north.id, about: '', simulated: true, tasks: [{ name: task.name }] } as unknown as Config,
    directory,
    identity: await openIdentity(join(directory, 'identity')),
    core: { kernelHash },
    wallMs: Date.now,
    monoMs: () => performance.now(),
    random: () => 0.5,
    deltas: async () => [{ task: 0, schema: Buffer.from(schemaText(task)), statistics: statisticsOf(north, task) }],
    status: () => {
      const report = reportOf(north) as unknown as AgentStatus;
      const tasks = report.tasks.filter(({ name }) => name === task.name).map((one) => ({ ...one, rows: 60 }));
      return { ...report, tasks, core: { build: 'simd', kernel } } as AgentStatus;
    },
    accept: async () => {},
    notice: ({ code }) => void notices.push(code),
    well() {},
    accepted() {},
    member() {},
    told: () => null,
    async heard() {},
  });
  try {
    await until(() => notices.includes('RIV_SYNC_REFUSED'), 'a delta that is set aside');
    expect(cloud.store.heads.get(schemaHash(task))).toBeNull();
    cloud.coordinator.operate({ do: 'kernel', hash: kernel, accept: true });
    await until(() => cloud.store.deltas.contributionsOf(north.id).length === 1, 'what it has learned in the model');
    expect(cloud.store.deltas.contributionsOf(north.id)).toMatchObject([{ task: task.name, seq: 2 }]);
  } finally {
    await sync.stop();
    await cloud.stop();
    rmSync(directory, { recursive: true });
  }
});
