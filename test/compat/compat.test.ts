/**
 * What older versions left on disk and on the wire (one folder each, made by make.ts) opens, or a start falls back to folding
 * the log again and says so; what a version from next year left is refused with its code. Nothing is ever lost silently.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_KIND,
  crc32c,
  decodeEnvelope,
  decodeRelease,
  openLog,
  openLogReader,
  openSlots,
} from '@rivulet/host';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AgentProcess, runRivulet, startAgentProcess } from '../support/agent.ts';

/** Messages that each fixture's log holds. */
const MESSAGES = 120;
const PACKED_BLOCKS = 30;

const versions = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

let directory = '';
let state = '';
const closing: (() => unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rivulet-compat-'));
  state = join(directory, 'state');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
  rmSync(directory, { recursive: true, force: true });
});

const fixture = (version: string, ...path: string[]): string => join(import.meta.dirname, version, ...path);

function take(version: string): void {
  cpSync(fixture(version, 'state'), state, { recursive: true });
}

function start(version: string): AgentProcess {
  const agent = startAgentProcess(fixture(version, 'rivulet.yaml'), { more: ['--state', state] });
  closing.push(() => agent.kill());
  return agent;
}

const logFile = (): string => join(state, 'log', readdirSync(join(state, 'log')).sort()[0] as string);
const slotFiles = (): string[] => readdirSync(join(state, 'checkpoint')).map((name) => join(state, 'checkpoint', name));

/** Changes a file of the state. */
function change(file: string, by: (bytes: Buffer) => Buffer): void {
  writeFileSync(file, by(readFileSync(file)));
}

/** The version field of a blob, which stands behind its magic in all of them, made one that no fixture will ever have. */
function fromNextYear(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt16LE(0xffff, 4);
  return changed;
}

/** Starts on the state and answers where the fold began; everything in the log has been counted. */
async function beganWith(version: string, { whole = true } = {}): Promise<string> {
  const agent = start(version);
  await agent.ready();
  const ready = agent.events.find(({ event }) => event === 'ready');
  const stopped = await agent.stop();
  expect(stopped.ledger).toMatchObject({ received: MESSAGES, used: MESSAGES });
  if (whole) {
    expect(JSON.parse((await runRivulet('replay', state, '--json')).out)).toMatchObject({ digest: stopped.digest });
  }
  return ready?.event === 'ready' ? ready.recovery : '';
}

async function refusal(version: string): Promise<string> {
  const agent = start(version);
  expect(await agent.ended()).toBe(1);
  return agent.complaints();
}

/** Makes the log begin later than its first block: retention has been there. */
async function cutLog(): Promise<void> {
  const all: Buffer[] = [];
  const reader = await openLogReader(join(state, 'log'));
  for await (const chunk of reader.read(0)) {
    all.push(chunk);
  }
  const bytes = Buffer.concat(all);
  let at = 0;
  for (let n = 0; n < 5; n++) {
    at += BLOCK_HEADER_BYTES + bytes.readUInt32LE(at + 8);
  }
  const ordinal = logFile().slice(-'-00000000.rvlog'.length);
  rmSync(logFile());
  writeFileSync(join(state, 'log', `${(5).toString(16).padStart(16, '0')}${ordinal}`), bytes.subarray(at));
}

it('there is a fixture', () => expect(versions.length).toBeGreaterThan(0));

describe.each(versions)('what %s left', (version) => {
  it('starts a gateway: from its checkpoint, or from the log, which is said', async () => {
    take(version);
    expect(await beganWith(version)).toMatch(/^checkpoint [ab]\.rvcp|^the log from block 0 on: /);
  }, 30_000);

  it('has compressed segments that are read', async () => {
    const reader = await openLogReader(fixture(version, 'packed'));
    const found: Buffer[] = [];
    for await (const chunk of reader.read(0)) {
      found.push(chunk);
    }
    expect(Buffer.concat(found).toString('latin1')).toContain('block 29 block 29');
    expect([reader.nextSequence, reader.nextOffset]).toEqual([PACKED_BLOCKS, PACKED_BLOCKS]);
  });

  it('has an envelope and a release that are read', () => {
    const envelope = decodeEnvelope(readFileSync(fixture(version, 'envelope.rvdl')));
    expect(envelope).toMatchObject({ gateway: 'plant-7', seq: 5, task: 'soon' });
    const release = decodeRelease(readFileSync(fixture(version, 'release.rvrl')));
    expect(release).toMatchObject({ task: 'soon', gateways: 3, rows: 1000 });
  });
});

const [version] = versions.slice(-1) as [string];
describe('a start whose checkpoint does not open', () => {
  it.each([
    ['is damaged', (bytes: Buffer) => bytes.fill(0xaa, 200, 300), /checksum is wrong/],
    ['is cut off', (bytes: Buffer) => bytes.subarray(0, 1000), /ends at byte 1000/],
    ['is empty', () => Buffer.alloc(0), /ends at byte 0/],
    ['is from next year', fromNextYear, /version/],
  ])(
    'folds the log again when it is whole: the checkpoint %s',
    async (_, by, why) => {
      take(version);
      slotFiles().forEach((file) => {
        change(file, by);
      });
      const began = await beganWith(version);
      expect(began).toMatch(/^the log from block 0 on: there is no checkpoint/);
      expect(began).toMatch(why);
    },
    30_000,
  );

  /** A newer checkpoint beside the good one, whose file is sound and whose state the core does not open. */
  async function withOddState(): Promise<{ good: string; goodTo: number; odd: string }> {
    const slots = await openSlots(join(state, 'checkpoint'));
    const slot = await slots.load();
    if (slot === null) {
      throw new Error('the fixture has no checkpoint');
    }
    const odd = Buffer.from(slot.state);
    odd.fill(0xee, 4, 12);
    await slots.save({ ...slot, wallMs: slot.wallMs + 1, state: odd });
    return { good: slot.file, goodTo: slot.nextSequence, odd: slot.file === 'a.rvcp' ? 'b.rvcp' : 'a.rvcp' };
  }

  it('takes the older one when the core does not open the newer, also when the log is no longer whole', async () => {
    take(version);
    await beganWith(version); // leaves a checkpoint of this core
    const { good, goodTo, odd } = await withOddState();
    await cutLog();
    const first = await beganWith(version, { whole: false });
    expect(first).toContain(`checkpoint ${good} (`);
    expect(first).toContain(`${odd}: goes up to block ${goodTo}, but this core does not open it (RIV_`);
    // The clean stop wrote over the one that does not open.
    expect(await beganWith(version, { whole: false })).toContain(`checkpoint ${odd} (`);
  }, 60_000);

  it('folds the log again when the core opens neither, though the files are sound', async () => {
    take(version);
    const { good } = await withOddState();
    change(join(state, 'checkpoint', good), () => Buffer.alloc(0));
    expect(await beganWith(version)).toMatch(
      /^the log from block 0 on: there is no checkpoint that opens \(.*this core does not open it \(RIV_/,
    );
  }, 30_000);

  it('ends with a code when the log does not reach back: nothing is left out silently', async () => {
    take(version);
    await cutLog();
    slotFiles().forEach((file) => {
      change(file, fromNextYear);
    });
    expect(await refusal(version)).toMatch(
      /^RIV_CHECKPOINT_LOST: there is no checkpoint that opens \(.*version.*log begins at block 5/m,
    );
  }, 30_000);
});

describe('a start whose log is gone', () => {
  it('ends with a code: checkpoints that do not open say that there was one', async () => {
    take(version);
    rmSync(logFile());
    slotFiles().forEach((file) => {
      change(file, () => Buffer.alloc(10));
    });
    expect(await refusal(version)).toMatch(/^RIV_CHECKPOINT_LOST: the log is empty/m);
  }, 30_000);
});

describe('what a version from next year left is refused by its code', () => {
  it('blocks at the end of the log, which are not taken for a torn write', async () => {
    take(version);
    const log = await openLog({ directory: join(state, 'log') });
    const block = { kind: BLOCK_KIND.tick, door: 0, epoch: 0, count: 0, payload: Buffer.alloc(0) };
    const { bytes, durable } = log.append([{ ...block, wallMs: 0, monoUs: 0, boot: 0 }]);
    await durable;
    await log.close();
    const before = readFileSync(logFile()).length;
    change(logFile(), (all) => {
      const last = all.subarray(all.length - bytes.length);
      last.writeUInt8(2, 4);
      last.writeUInt32LE(crc32c(last.subarray(0, 60)), 60);
      return all;
    });
    expect(await refusal(version)).toMatch(/^RIV_TOO_NEW: block \d+ of the log has version 2/m);
    expect(readFileSync(logFile()).length).toBe(before);
  }, 30_000);

  it('envelopes and releases', () => {
    const next = (file: string): Buffer => fromNextYear(readFileSync(fixture(version, file)));
    expect(() => decodeEnvelope(next('envelope.rvdl'))).toThrow(expect.objectContaining({ code: 'RIV_TOO_NEW' }));
    expect(() => decodeRelease(next('release.rvrl'))).toThrow(expect.objectContaining({ code: 'RIV_TOO_NEW' }));
  });
});
