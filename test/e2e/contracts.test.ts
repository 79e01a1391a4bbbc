/**
 * Sensors that say what they cannot have measured, at a gateway as users run it: a flagged reading goes on with its quality
 * beside it, what is quarantined is counted by reason and shown with the place of the value, and a replay comes to the same.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { expect, it } from 'vitest';
import { runRivulet, startAgentProcess } from '../support/agent.ts';

const START_MS = 1_760_000_000_000;

it('readings_that_break_their_contract_are_flagged_or_quarantined_counted_and_shown', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-contracts-'));
  const state = join(directory, 'state');
  const config = join(directory, 'rivulet.yaml');
  await writeFile(
    config,
    `gateway: g
state: ${state}
broker: { listen: 0 }
sources:
  - name: site
    topic: "site/{device}"
    time: ts
    fields:
      temp: { path: t, range: [-40, 60], rate_max: 5/min, stuck_after: 3, on_violation: flag }
      level: { path: "tanks[0].level", range: [0, 10] }
forward:
  - { readings: [temp], where: temp_quality == 0, topic: "good/{key}" }
`,
  );
  const agent = startAgentProcess(config);
  try {
    const { brokerPort } = await agent.ready();
    const client = await connectAsync(`mqtt://127.0.0.1:${brokerPort}`, { protocolVersion: 4 });
    const good: number[] = [];
    client.on('message', (_topic, payload) => good.push(JSON.parse(String(payload)).value));
    await client.subscribeAsync('good/#');
    const temps = [20, 24, 31, 70, 26, 26, 26, 26, 26, 27];
    for (const [minute, t] of temps.entries())
      await client.publishAsync('site/a', JSON.stringify({ ts: START_MS + minute * 60_000, t }), { qos: 1 });
    const over = { ts: START_MS, tanks: [{ level: 99 }] };
    await client.publishAsync('site/b', JSON.stringify(over), { qos: 1 });
    await agent.until(() => agent.status()?.messages === 11 && good.length === 5, 'all is read and forwarded');
    await client.endAsync();
    // 31 and 70 came too fast (70 is out of range too), so did the way back; the fourth and fifth 26 are stuck.
    expect(good).toEqual([20, 24, 26, 26, 27]);
    const [source] = agent.status()?.sources ?? [];
    expect(source).toMatchObject({
      ...{ used: 10, quarantined: 1, quarantined_by: { RIV_CORE_OUT_OF_RANGE: 1 } },
      violations: { range: 2, rate: 3, stuck: 2 },
    });
    const stopped = await agent.stop();
    const shown = await runRivulet('quarantine', 'show', state, '10');
    expect(shown.out).toMatch(/^why {5}RIV_CORE_OUT_OF_RANGE/m);
    expect(shown.out).toMatch(/^where {3}\/tanks\/0\/level$/m);
    const listed = await runRivulet('quarantine', 'ls', state);
    expect(listed.out).toMatch(/RIV_CORE_OUT_OF_RANGE {2}at \/tanks\/0\/level/);
    const replayed = await runRivulet('replay', state, '--json');
    expect(JSON.parse(replayed.out)).toMatchObject({ messages: 11, digest: stopped.digest });
  } finally {
    await agent.kill();
    await rm(directory, { recursive: true, force: true });
  }
}, 60_000);
