// The host's parts together, as a process uses them: configuration → plan → log → engine → outputs → slot, and back.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BLOCK_KIND, encodePlanPayload } from './block.ts';
import { parseConfig } from './config_parse.ts';
import { type Core, type CoreBuild, type Engine, loadCore } from './core.ts';
import { type BlockDraft, type Log, openLog } from './log.ts';
import { decodeOutputs, type Output } from './outputs.ts';
import { compilePlan, planForEvaluation, planHash } from './plan.ts';
import { sha256 } from './signing.ts';
import { openSlots } from './slots.ts';

const YAML = `
gateway: plant-7
sources: [{ topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": v }, time: ts, seq: n }]
windows: [{ name: w, every: 1m, of: [t], stats: [mean, count] }]
tasks: [{ name: soon, forecast: t, horizon: 30s }]
`;
const plan = compilePlan(parseConfig(YAML, 'journey.yaml'));
const START = 1_700_000_000_000;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-journey-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** A PUBLISH of MQTT 3.1.1, QoS 0, short enough for one length byte. */
function publish(topic: string, payload: string): Buffer {
  const length = 2 + topic.length + payload.length;
  return Buffer.concat([Buffer.from([0x30, length, 0, topic.length]), Buffer.from(topic + payload)]);
}

/** Ten seconds of one reading each: a temperature that swings with a period of two minutes. */
function messages(batch: number): BlockDraft {
  const packets = Array.from({ length: 10 }, (_, index) => {
    const n = batch * 10 + index;
    const value = 20 + 5 * Math.sin((2 * Math.PI * n) / 120);
    return publish('b/r1/t', JSON.stringify({ v: Number(value.toFixed(3)), ts: START + n * 1000, n }));
  });
  return block(BLOCK_KIND.messagesV4, packets, packets.length, batch);
}

function block(kind: BlockDraft['kind'], payload: Buffer[], count: number, batch: number): BlockDraft {
  const wallMs = START + batch * 10_000;
  return { kind, door: 1, epoch: 1, count, payload, wallMs, monoUs: batch * 10_000_000, boot: 1 };
}

async function filledLog(core: Core, batches: number): Promise<Log> {
  const log = await openLog({ directory: join(directory, 'log') });
  log.append([{ ...block(BLOCK_KIND.plan, [encodePlanPayload(core.kernelHash, plan)], 0, 0), door: 0 }]);
  for (let batch = 0; batch < batches; batch++) await log.append([messages(batch)]).durable;
  return log;
}

async function fold(engine: Engine, log: Log, from: number): Promise<Output[]> {
  const outputs: Output[] = [];
  for await (const blocks of log.read(from)) outputs.push(...decodeOutputs(engine.ingest(blocks)));
  return outputs;
}

const digest = (engine: Engine): string => sha256(engine.checkpoint()).toString('hex');

describe('the journey of messages through the host', () => {
  test.each<CoreBuild>(['scalar', 'simd'])('%s_predicts_counts_and_closes_windows', async (build) => {
    const core = await loadCore({ build });
    const log = await filledLog(core, 60);
    const engine = core.newEngine();
    engine.open(plan);
    const outputs = await fold(engine, log, 0);
    const report = engine.report();
    expect([report.messages, report.offset, report.keys]).toEqual([600, 600, 1]);
    const [source] = report.sources;
    const { received = 0, used = 0 } = source ?? {};
    expect([received, used]).toEqual([600, 600]);
    const predictions = outputs.filter((output) => output.kind === 'prediction');
    const windows = outputs.filter((output) => output.kind === 'window');
    expect(predictions.length).toBe(report.tasks[0]?.predictions);
    expect(predictions.length).toBeGreaterThan(400);
    expect(predictions[0]).toMatchObject({ key: 'r1', horizonMs: 30_000, release: null, class: '' });
    expect(windows.length).toBeGreaterThan(7);
    // The first minute is cut by where the epoch's minutes begin.
    expect(windows[1]).toMatchObject({ key: 'r1', field: 't', count: 60, final: true });
    expect(report.tasks[0]?.matured).toBeGreaterThan(400);
    await log.close();
  });

  test('a_restart_from_a_slot_gives_the_state_of_a_straight_run_in_both_builds', async () => {
    const scalar = await loadCore({ build: 'scalar' });
    const simd = await loadCore({ build: 'simd' });
    const log = await filledLog(scalar, 20);
    const slots = await openSlots(join(directory, 'checkpoint'));
    const straight = scalar.newEngine();
    straight.open(plan);
    await fold(straight, log, 0);
    const saved = await slots.save({
      nextSequence: log.nextSequence,
      nextOffset: log.nextOffset,
      wallMs: START,
      planHash: planHash(plan),
      kernelHash: scalar.kernelHash,
      state: straight.checkpoint(),
    });
    expect(saved).toBe(digest(straight));
    const middle = log.nextSequence;
    for (let batch = 20; batch < 40; batch++) await log.append([messages(batch)]).durable;
    await fold(straight, log, middle);

    const slot = await slots.load();
    const restored = simd.newEngine();
    restored.restore(slot?.state as Uint8Array);
    await fold(restored, log, slot?.nextSequence as number);
    expect(digest(restored)).toBe(digest(straight));

    const again = simd.newEngine();
    again.open(plan);
    await fold(again, log, 0);
    expect(digest(again)).toBe(digest(straight));
    await log.close();
  });

  test('a_plan_that_is_none_is_refused', async () => {
    const engine = (await loadCore()).newEngine();
    for (const text of ['', '{}', '{"plan":1}', 'null', '['.repeat(100_000)])
      expect(() => engine.open(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'RIV_CORE_BAD_PLAN' }));
    expect(() => engine.open(Buffer.from('{"plan":99}'))).toThrow(
      expect.objectContaining({ code: 'RIV_CORE_TOO_NEW' }),
    );
  });

  test('an_evaluation_scores_every_row', async () => {
    const engine = (await loadCore()).newEngine();
    const columns = [{ name: 'x', type: 'number' as const }];
    engine.open(planForEvaluation({ kind: 'regression', columns, target: 'y', horizon: 0, labelDelay: 0, classes: 0 }));
    engine.rows(rows(500));
    const report = engine.evaluation();
    expect([report.rows, report.matured]).toEqual([500, 500]);
    expect(report.metrics.mae).toBeGreaterThanOrEqual(0);
  });
});

/** Rows of an evaluation with one column: y = 3x + 1 with x going up and down. */
function rows(count: number): Buffer {
  const bytes = Buffer.alloc(8 + count * 20);
  bytes.writeUInt32LE(count, 0);
  bytes.writeUInt32LE(1, 4);
  for (let row = 0; row < count; row++) {
    const at = 8 + row * 20;
    const x = ((row * 7) % 13) - 6;
    bytes.writeDoubleLE(3 * x + 1, at + 4);
    bytes.writeDoubleLE(x, at + 12);
  }
  return bytes;
}
