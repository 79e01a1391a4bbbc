/** What the status promises, for each kind of source: the reason must be the true one. */
import { parseConfig } from '@rivulet/host';
import { expect, test } from 'vitest';
import { agentStatus } from './status.ts';

const zero = { received: 0, used: 0, late: 0, duplicate: 0, retained: 0, filtered: 0, quarantined: 0 };

function guaranteeOf(yaml: string, account: { name: string; unknown?: number }) {
  const source = { ...zero, gaps: 0, unknown: 0, restarts: 0, ...account };
  const [found] = agentStatus({
    config: parseConfig(yaml, 'x.yaml'),
    report: {
      offset: 0,
      messages: 0,
      keys: 0,
      series: 0,
      times_corrected: 0,
      windows: [],
      sources: [source],
      tasks: [],
    },
    core: { build: 'simd', kernelHash: new Uint8Array(32) },
    ...{ bandwidth: { inBytes: 0, outBytes: 0 }, featuresVerified: undefined, sync: undefined },
    ...{ wallMs: 0, uptimeMs: 0, cpuUs: 0, messagesTaken: 0, rssBytes: 0, doors: [], lastError: null },
  }).sources;
  return `${found?.guarantee}: ${found?.guarantee_why}`;
}

test.each([
  ['sources: [{ topic: a, seq: n }]', { name: 'a' }, /^exactly once: .*`n`; without event times one that counts anew/],
  ['sources: [{ topic: a, seq: n, time: ts }]', { name: 'a' }, /^exactly once: .*`n`$/],
  ['sources: [{ topic: a, seq: n }]', { name: 'a', unknown: 3 }, /^best effort: 3 messages .* too old/],
  ['sources: [{ topic: a }]', { name: 'a' }, /^best effort: .*repeat by the device itself looks new/],
  ['broker: { listen: 0 }\nsources: [{ topic: a }]', { name: 'a' }, /^best effort: .*DUP and packet id/],
  ['sources: [{ topic: a, time: ts, repeats: event_time }]', { name: 'a' }, /^best effort: .*event time and content/],
  ['sources: [{ topic: $share/g/a, seq: n }]', { name: 'a' }, /^best effort: .*shared subscription "g"/],
  ['sources: [{ topic: a }]', { name: '(no source)' }, /^best effort: nothing here enters/],
  [
    'sources: [{ topic: a }]\ntasks: [{ name: t, regress: { topic: l, key: a, seq: k } }]',
    { name: 'labels:t' },
    /^exactly once: .*`k`/,
  ],
  [
    'sources: [{ topic: a }]\ntasks: [{ name: t, regress: { topic: l, key: a } }]',
    { name: 'labels:t' },
    /^best effort: .*looks new/,
  ],
])('%s: %j', (yaml, account, expected) => {
  expect(guaranteeOf(yaml, account)).toMatch(expected);
});
