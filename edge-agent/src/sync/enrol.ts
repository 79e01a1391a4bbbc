/** The first call: who we are, and whose receipts we take from then on. */
import { readFile } from 'node:fs/promises';
import { RivuletError, replaceFile } from '@rivulet/host';
import type { Coordinator } from './coordinator.ts';
import { onDisk } from './disk.ts';
import type { SyncContext } from './sync.ts';

/** Enrols and pins the coordinator's key: receipts by another key are refused from then on. */
export async function enrol(
  coordinator: Coordinator,
  context: SyncContext,
  incarnation: string,
  pin: string,
): Promise<string> {
  const { config, identity } = context;
  const enrolment = {
    gateway: config.gateway,
    public_key: identity.publicKey.toString('base64'),
    incarnation,
    about: config.about,
    simulated: config.simulated,
  };
  const key = await coordinator.enrol(enrolment, identity.sign);
  const pinned = await readPin(pin);
  if (pinned === null) {
    await onDisk(pin, replaceFile(pin, Buffer.from(`${key}\n`), 0o600));
  } else if (pinned !== key) {
    throw new RivuletError('RIV_SYNC_ANSWER', {
      found: 'the coordinator has another key than the one this gateway enrolled at',
      where: pin,
      todo: 'If the coordinator was really replaced, remove this file; else somebody stands in between.',
    });
  }
  return key;
}

/**
 * The coordinator's key that this gateway enrolled at, or was given beforehand; null: there is none yet. One that cannot be
 * read is no reason to trust whoever answers.
 * @throws RIV_SYNC_DISK
 */
export async function readPin(pin: string): Promise<string | null> {
  const text = readFile(pin, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  return (await onDisk(pin, text, 'read'))?.trim() ?? null;
}
