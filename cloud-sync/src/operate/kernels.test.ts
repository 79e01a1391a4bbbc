import { encodeRelease, type RivuletError, sha256, systemClock } from '@rivulet/host';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openSqlite } from '../drivers/sqlite.ts';
import type { Store } from '../drivers/store.ts';
import { acceptKernel, listKernels, noteOwnKernel, refuseKernel } from './kernels.ts';

const [first, second] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
let store: Store;
const parts = (kernelHash: Uint8Array) => ({ store, kernelHash, clock: systemClock() });
const listed = (kernelHash: Uint8Array) =>
  Object.fromEntries(listKernels(parts(kernelHash)).map(({ hash, why }) => [hash.slice(0, 2), why]));

beforeEach(() => {
  store = openSqlite(':memory:');
});
afterEach(() => store.close());

it('a coordinator that was updated still takes what its earlier core made', () => {
  noteOwnKernel(parts(first));
  noteOwnKernel(parts(second));
  expect(listed(second)).toEqual({ '01': 'run', '02': 'running' });
});

it('a store of before that learns the core of its releases, once', () => {
  const schema = Buffer.from('{}');
  const none = Buffer.alloc(32);
  const bytes = encodeRelease({
    ...{ task: 't', schemaHash: sha256(schema), parent: none, line: none, kernelHash: first },
    ...{ gateways: 1, rows: 1, schema, model: Buffer.alloc(1) },
  });
  const release = sha256(bytes).toString('hex');
  store.blobs.put(release, bytes);
  const head = { schema: 's', task: 't', schemaText: '{}', form: 1 as const, release, pinned: null, previous: null };
  store.heads.compareAndSet(null, { ...head, releaseOffset: 1, offset: 1, releases: 1, revision: 1 });
  noteOwnKernel(parts(second));
  expect(listed(second)).toEqual({ '01': 'run', '02': 'running' });
  refuseKernel(first.toString('hex'), parts(second));
  noteOwnKernel(parts(second));
  expect(listed(second)).toEqual({ '02': 'running' });
});

it('what is no hash, not known, or runs here is refused with a code', () => {
  noteOwnKernel(parts(first));
  const code = (work: () => unknown) => {
    try {
      return work();
    } catch (error) {
      return (error as RivuletError).code;
    }
  };
  expect(code(() => acceptKernel('07', parts(first)))).toBe('RIV_USAGE');
  expect(code(() => refuseKernel(second.toString('hex'), parts(first)))).toBe('RIV_NOT_FOUND');
  expect(code(() => refuseKernel(first.toString('hex'), parts(first)))).toBe('RIV_USAGE');
});
