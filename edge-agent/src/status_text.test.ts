import type { AgentStatus } from '@rivulet/host';
import { expect, test } from 'vitest';
import { statusText } from './status_text.ts';

const LEDGER = { received: 9, used: 9, late: 0, duplicate: 0, retained: 0, filtered: 0, quarantined: 0 };
const EVIDENCE = {
  of: 'error',
  feature: '',
  key: 'r1',
  at: 0,
  before: 0.12345,
  after: 0.5,
  rows: 64,
  batch: 8,
  offset: 7,
};

/** What is shown of a gateway with one source and one task. */
function shown(source: object, task: object, more: object = {}): string {
  const status = {
    gateway: 'plant-7',
    ledger: LEDGER,
    bandwidth: { in_bytes: 0, out_bytes: 0, saved: 0 },
    doors: [],
    sources: [{ name: 'rooms', ...LEDGER, guarantee: 'best effort', guarantee_why: 'why', ...source }],
    tasks: [{ name: 'ahead', kind: 'forecast', error: null, pending: 0, leader: null, drift: null, ...task }],
    ...more,
  } as unknown as AgentStatus;
  const disk = { logBytes: 0, checkpointBytes: 0, freeBytes: 0, checkpointAgeMs: null };
  return statusText({ status, messagesPerS: null, pid: null, ageMs: 0, old: null }, disk);
}

test('violations, drift and labels that were not believed are shown where there are any', () => {
  const text = shown(
    { violations: { range: 3, stuck: 0, word: 1 } },
    {
      drift: { detector: 'adwin', run_length: 1, alarms: 12, evidence: [EVIDENCE, { ...EVIDENCE, feature: 'co2' }] },
      conflicting: 2,
      corrected: 1,
      breaker: { open: 1, opened: 1, held: 0, dropped: 40 },
    },
  );
  expect(text).toContain('readings that broke their contract: 3 out of range, 1 of an unknown word\n');
  expect(text).toContain('drift: 12 found by adwin\n');
  expect(text).toMatch(/feature co2 0\.123 → 0\.5 after 64 rows, at r1\n.* error 0\.123/);
  expect(text).toContain('labels: 2 contradicted, 1 corrected\n');
  expect(text).toContain('label source: breaker open, opened 1 times, 0 held, 40 not learned\n');
  expect(shown({ violations: {} }, {})).not.toMatch(/contract|drift|label source|labels:/);
});

test('what was announced and is not read is listed with the reason', () => {
  const not_read = { entities: 3, examples: [{ topic: 'homeassistant/sensor/a/config', why: 'its template' }] };
  expect(shown({}, {}, { not_read })).toMatch(
    /not read +3 entities announced.*\n +homeassistant\/sensor\/a\/config: its template\n +and 2 more\n/,
  );
  expect(shown({}, {})).not.toContain('not read');
});
