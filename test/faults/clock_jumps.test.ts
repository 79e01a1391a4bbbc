/**
 * A live gateway whose wall clock is set forward and back by a day, as an operator, a time server or an empty battery does:
 * every message is counted once, none is late, windows go on closing, what is due comes, and the log keeps what it had.
 */
import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, describe, expect, it } from 'vitest';
import { runRivulet, startAgentProcess } from '../support/agent.ts';
import { closeAll, closing, pause } from '../support/doors.ts';
import { faketimeAbsent, openClock } from '../support/faketime.ts';
import { freePort } from '../support/mosquitto.ts';

const DAY_S = 86_400;
const IDLE_MS = 1000;
const MESSAGES = 200;

afterEach(closeAll);

describe.skipIf(faketimeAbsent !== null)(`a gateway whose clock is set ${faketimeAbsent ?? ''}`, () => {
  it.each([
    ['forward by a day, and back', [DAY_S, 0]],
    ['back by a day, and forward', [-DAY_S, 0]],
  ])(
    '%s',
    async (_, jumps) => {
      const directory = await mkdtemp(join(tmpdir(), 'rivulet-clock-'));
      closing.push(() => rm(directory, { recursive: true, force: true }));
      const [config, state, port] = [join(directory, 'rivulet.yaml'), join(directory, 'state'), await freePort()];
      await writeFile(
        config,
        `gateway: plant-7
state: ${state}
broker: { listen: ${port} }
sources:
  - { name: own, topic: "own/{room}", key: "own-{room}", fields: { temp: value }, time: ts, seq: n, idle: ${IDLE_MS}ms, clock_skew_max: 48h }
  - { name: arrival, topic: "arrival/{room}", key: "arrival-{room}", fields: { temp: value }, seq: n, idle: ${IDLE_MS}ms }
windows:
  - { name: second, every: 1s, of: [temp], stats: [count], lateness: 0s }
outputs:
  - { windows: second, topic: "out/{key}" }
log: { keep: 1h }
checkpoint: { every: 300ms }
`,
      );
      const clock = openClock(join(directory, 'clock'));
      const agent = startAgentProcess(config, { before: clock.before });
      closing.push(() => agent.kill());
      await agent.ready();
      const device = await connectAsync(`mqtt://127.0.0.1:${port}`);
      closing.push(() => device.endAsync(true));
      const windows = new Map<string, number>();
      device.on('message', (topic) => void windows.set(topic, (windows.get(topic) ?? 0) + 1));
      await device.subscribeAsync('out/#', { qos: 1 });

      let sent = 0;
      const sendOne = async (): Promise<void> => {
        sent += 1;
        const reading = { value: 20 + (sent % 5), n: sent };
        // The devices' clocks are right all the time.
        await device.publishAsync('own/r1', JSON.stringify({ ...reading, ts: Date.now() }), { qos: 1 });
        await device.publishAsync('arrival/r1', JSON.stringify(reading), { qos: 1 });
      };
      const send = async (): Promise<void> => {
        for (let n = 0; n < MESSAGES; n++) {
          await sendOne();
          await pause(5);
        }
      };
      const closed = (): number[] => ['out/own-r1', 'out/arrival-r1'].map((topic) => windows.get(topic) ?? 0);
      const closes = async (which: readonly number[], when: string, act: () => Promise<void> | void): Promise<void> => {
        const before = closed();
        await act();
        const all = (): boolean => which.every((index) => (closed()[index] as number) > (before[index] as number));
        await agent.until(all, `windows close ${when}`);
      };

      for (const [index, seconds] of jumps.entries()) {
        await closes([0, 1], 'under load', send);
        // In silence: what is due then must come without a message that tells the core of the new time. Where the clock was wrong
        // already, event times of devices do not run with it, and say nothing about the time that passes in silence.
        // On a slow machine silence has closed all there was: there is a window to close. It is begun with its second, since
        // it closes with it: what closes before it is counted from would not close again.
        await pause(1020 - (Date.now() % 1000));
        await sendOne();
        await closes(index === 0 ? [0, 1] : [1], `in silence, set by ${seconds} s`, () => clock.set(seconds));
        await closes([0, 1], `under load, set by ${seconds} s`, send);
      }
      const [segment] = readdirSync(join(state, 'log'));
      await pause(700); // checkpoints, and what they clean up
      expect(readdirSync(join(state, 'log'))[0]).toBe(segment);

      // Set back while the gateway was away.
      await send();
      await agent.kill();
      clock.set(-DAY_S);
      const again = startAgentProcess(config, { before: clock.before });
      closing.push(() => again.kill());
      await again.ready();
      await again.until(() => (again.status()?.ledger.used ?? 0) === 2 * sent, 'all is counted');
      const stopped = await again.stop();
      const whole = { used: 2 * sent, late: 0, duplicate: 0, retained: 0, filtered: 0, quarantined: 0 };
      expect(stopped.ledger).toEqual({ received: 2 * sent, ...whole });
      expect(stopped.sources.map(({ gaps }) => gaps)).toEqual([0, 0, 0]);
      const { out } = await runRivulet('replay', state, '--json');
      expect(JSON.parse(out)).toMatchObject({ digest: stopped.digest, ledger: stopped.ledger });
    },
    120_000,
  );
});
