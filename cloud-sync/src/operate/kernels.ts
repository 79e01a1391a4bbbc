/**
 * Whose arithmetic a coordinator takes. Statistics are only as good as the core that made them, so those of a core that it
 * never ran itself are set aside until an operator has said so: a fleet is updated from its coordinator on.
 */
import { type Clock, decodeRelease, RivuletError } from '@rivulet/host';
import type { Store } from '../drivers/store.ts';

export interface KernelParts {
  readonly store: Store;
  readonly clock: Clock;
  /** Of the core that runs here. */
  readonly kernelHash: Uint8Array;
}

export interface KernelView {
  readonly hash: string;
  /** Epoch milliseconds. */
  readonly since: number;
  /** `running`: it is the one here; `run`: it was once; `named`: an operator said so. */
  readonly why: 'running' | 'run' | 'named';
}

/** Notes the core that runs here; in a store of before that, those that its newest releases were made with too. */
export function noteOwnKernel({ store, clock, kernelHash }: KernelParts): void {
  const known = store.kernels.list();
  const own = hexOf(kernelHash);
  if (known.some(({ hash }) => hash === own)) return;
  const earlier = known.length > 0 ? [] : store.heads.list().flatMap((head) => kernelOf(head.release, store));
  store.atomically(() => {
    for (const hash of [...earlier, own]) store.kernels.add(hash, clock.wallMs(), true);
  });
}

function kernelOf(release: string | null, { blobs }: Store): string[] {
  const bytes = release === null ? null : blobs.get(release);
  return bytes === null ? [] : [hexOf(decodeRelease(bytes).kernelHash)];
}

/** Oldest first. */
export function listKernels({ store, kernelHash }: KernelParts): KernelView[] {
  const running = hexOf(kernelHash);
  return store.kernels.list().map(({ hash, sinceMs, own }) => ({
    hash,
    since: sinceMs,
    why: hash === running ? 'running' : own ? 'run' : 'named',
  }));
}

export function acceptKernel(hash: string, parts: KernelParts): KernelView[] {
  return decide(hash, true, parts);
}

/** What came of it before stays. Throws `RIV_USAGE` for the core that runs here. */
export function refuseKernel(hash: string, parts: KernelParts): KernelView[] {
  if (hash === hexOf(parts.kernelHash)) throw new RivuletError('RIV_USAGE', 'this is the core that runs here');
  if (!parts.store.kernels.has(hash)) throw new RivuletError('RIV_NOT_FOUND', `no core ${hash} is taken`);
  return decide(hash, false, parts);
}

function decide(hash: string, accept: boolean, parts: KernelParts): KernelView[] {
  const { store, clock } = parts;
  if (!/^[0-9a-f]{64}$/.test(hash)) {
    throw new RivuletError('RIV_USAGE', {
      found: `the core ${JSON.stringify(hash)}`,
      expected: '64 hex digits, as the quarantine names it',
    });
  }
  store.atomically(() => {
    if (accept) store.kernels.add(hash, clock.wallMs(), false);
    else store.kernels.remove(hash);
    store.audit.add({ atMs: clock.wallMs(), action: 'kernel', subject: hash, detail: { accept } });
  });
  return listKernels(parts);
}

function hexOf(hash: Uint8Array): string {
  return Buffer.from(hash).toString('hex');
}
