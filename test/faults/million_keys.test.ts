/**
 * A million keys that nobody knows, as a publisher in error or with bad intent invents them: those beyond `limits.keys` are set aside
 * with the reason and counted, the state stays as large as the limit lets it be, and the devices that were there go on.
 */
import { BLOCK_KIND, compilePlan, decodeOutputs, loadCore, parseConfig } from '@rivulet/host';
import { expect, test } from 'vitest';
import { ARRIVAL_MS, encodeBlock, publishPacket } from '../support/fold.ts';

const MILLION = 1_000_000;
const KEYS = 1000;
const REAL = 50;
const BATCH = 10_000;
/** Of state, for a key with one series, one window and a name of some ten bytes. */
const BYTES_A_KEY = 600;

test('a_million_new_keys_leave_those_that_were_there_as_they_are', { timeout: 300_000 }, async () => {
  const engine = (await loadCore()).newEngine();
  const config = parseConfig(
    `gateway: g\nlimits: { keys: ${KEYS} }\nsources: [{ topic: "plant/{key}", fields: { v: v }, time: t }]\nwindows: [{ name: m, every: 1m }]\n`,
    'keys.yaml',
  );
  engine.open(compilePlan(config));
  let [offset, sequence] = [0, 0];
  const results = new Map<string, number>();
  const put = (topics: readonly string[], atMs: number): number => {
    const packets = topics.map((topic) => publishPacket({ topic, payload: `{"v":1,"t":${ARRIVAL_MS + atMs}}` }));
    const block = encodeBlock({
      ...{ kind: BLOCK_KIND.messagesV4, payload: Buffer.concat(packets), count: packets.length },
      ...{ sequence: sequence++, firstOffset: offset, wallMs: ARRIVAL_MS + atMs },
    });
    offset += packets.length;
    let quarantined = 0;
    for (const output of decodeOutputs(engine.ingest(block))) {
      quarantined += Number(output.kind === 'quarantine');
      if (output.kind === 'window') results.set(output.key, (results.get(output.key) ?? 0) + output.count);
    }
    return quarantined;
  };

  const real = Array.from({ length: REAL }, (_, n) => `plant/press-${n}`);
  let setAside = put(real, 0);
  for (let batch = 0; batch < MILLION / BATCH; batch++) {
    const invented = Array.from({ length: BATCH }, (_, n) => `plant/${(batch * BATCH + n).toString(36)}x`);
    setAside += put(invented, batch * 1000);
    setAside += put(real, batch * 1000 + 500);
  }
  setAside += put(real, 600_000);

  const [source] = engine.report().sources;
  const known = REAL * (MILLION / BATCH + 2) + (KEYS - REAL);
  expect(source).toMatchObject({ received: MILLION + REAL * (MILLION / BATCH + 2), used: known, late: 0 });
  expect(source?.quarantined).toBe(MILLION - (KEYS - REAL));
  expect(setAside).toBe(MILLION - (KEYS - REAL));
  // By its code: a limit.
  expect(source?.quarantined_by).toEqual({ '-7': MILLION - (KEYS - REAL) });
  for (const topic of real) expect(results.get(topic.slice('plant/'.length))).toBe(MILLION / BATCH + 1);
  expect(engine.checkpoint().length).toBeLessThan(KEYS * BYTES_A_KEY);
});
