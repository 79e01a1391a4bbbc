/** A gateway as a real process with one source of temperatures, as `load.ts` sends them; for tests that count every message. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type AgentProcess, runRivulet, startAgentProcess } from './agent.ts';
import { closing, pause } from './doors.ts';
import { withFault } from './strace.ts';

export interface LoadedGateway {
  /** The process of now. */
  agent(): AgentProcess;
  /** Messages of the newest status that were used or came late: each was counted, and once. */
  counted(): number;
  /** Kills the process and starts another on the same state. */
  restart(): Promise<void>;
  /** Resolves when this many more are counted. */
  goesOn(more?: number): Promise<void>;
  /**
   * Waits until as many are counted as were sent, stops the gateway and compares: no more, none missing, none unreadable; and
   * the log gives the same state. Answers how many were recognised as repeats.
   */
  expectCountedOnce(sent: number): Promise<{ duplicates: number }>;
}

/**
 * @param door lines of the configuration: `mqtt:` or `broker:`
 * @param options.numbers false: devices' numbers are not looked at
 * @param options.more further lines
 * @param options.fault put into the log's writes by strace, as its `inject=`, once the log is there
 */
export async function openLoadedGateway(
  door: string,
  { numbers = true, more = '', fault = '' }: { numbers?: boolean; more?: string; fault?: string } = {},
): Promise<LoadedGateway> {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-loaded-'));
  closing.push(() => rm(directory, { recursive: true, force: true }));
  const [config, state] = [join(directory, 'rivulet.yaml'), join(directory, 'state')];
  await writeFile(
    config,
    `gateway: plant-7
state: ${state}
${door}
${more}
sources:
  - { name: rooms, topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value }, time: ts${numbers ? ', seq: n' : ''} }
windows:
  - { name: minute, every: 1m, of: [temp], stats: [mean, count], lateness: 5s }
outputs:
  - { windows: minute, topic: "rivulet/plant-7/windows/{key}" }
`,
  );
  let agent = startAgentProcess(config);
  closing.push(() => agent.kill());
  await agent.ready();
  if (fault !== '') {
    await agent.stop();
    const [segment] = await readdir(join(state, 'log'));
    agent = startAgentProcess(config, { before: withFault(fault, join(state, 'log', segment as string)) });
    await agent.ready();
  }
  await agent.until(() => agent.status()?.connected === true, 'the door is connected');
  await pause(1000); // The status does not tell when the subscription stands; on a busy machine that takes a while.

  const counted = (status = agent.status()): number => (status?.ledger.used ?? 0) + (status?.ledger.late ?? 0);
  return {
    agent: () => agent,
    counted: () => counted(),
    async restart() {
      await agent.kill();
      agent = startAgentProcess(config);
    },
    async goesOn(more = 200) {
      const from = counted();
      await agent.until(() => counted() > from + more, 'the gateway goes on');
    },
    async expectCountedOnce(sent) {
      await agent.until(() => counted() >= sent, `all ${sent} messages`).catch(() => undefined);
      const stopped = await agent.stop();
      const { ledger, sources, messages, digest } = stopped;
      expect({ counted: counted(stopped), gaps: sources[0]?.gaps }).toEqual({ counted: sent, gaps: 0 });
      expect(ledger).toMatchObject({ quarantined: 0, filtered: 0, retained: 0 });
      const { code, out, err } = await runRivulet('replay', state, '--json');
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(JSON.parse(out)).toMatchObject({ messages, digest });
      return { duplicates: ledger.duplicate };
    },
  };
}
