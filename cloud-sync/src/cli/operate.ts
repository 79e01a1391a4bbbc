/**
 * How a command reaches the models: the state directory is the only address. Its lock decides who carries the command
 * out: this process when no coordinator runs on it, else that coordinator, through its control socket. So a command
 * never waits for a stop, and two processes never write at the same time.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { loadCore, openIdentity, RivuletError, systemClock, toRivuletError } from '@rivulet/host';
import { openCoordinator } from '../coordinator.ts';
import { openSqlite } from '../drivers/sqlite.ts';
import { mergesBy } from '../merge.ts';
import type { OperatorCommand } from '../operate/command.ts';
import { askControl } from '../operate/control.ts';
import { VERSION } from '../version.ts';

/** Options that every such command has. */
export const OPERATE_OPTIONS = {
  state: { type: 'string', default: join('rivulet-state', 'coordinator') },
  json: { type: 'boolean', default: false },
} as const;

/** Carries out a command on the state in `directory`, by whoever holds it. */
export async function operate<T extends object>(directory: string, command: OperatorCommand): Promise<T> {
  const state = resolve(directory);
  const file = join(state, 'coordinator.sqlite');
  if (!existsSync(file)) {
    throw new RivuletError('RIV_STATE_UNUSABLE', { where: state, found: 'no coordinator has kept its state here' });
  }
  try {
    return (await operateHere(state, file, command)) as T;
  } catch (error) {
    if (toRivuletError(error).code !== 'RIV_STATE_LOCKED') throw error;
    return (await askControl(state, command)) as T;
  }
}

async function operateHere(state: string, file: string, command: OperatorCommand): Promise<object> {
  const store = openSqlite(file);
  try {
    const core = await loadCore();
    const coordinator = openCoordinator({
      store,
      openMerge: mergesBy(core),
      kernelHash: core.kernelHash,
      identity: await openIdentity(join(state, 'identity')),
      clock: systemClock(),
      releaseEveryMs: 0,
      version: VERSION,
    });
    try {
      return coordinator.operate(command);
    } finally {
      coordinator.stop();
    }
  } finally {
    store.close();
  }
}
