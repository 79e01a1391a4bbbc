/** The goals of the intake, and whether this run met them. Only what was measured is judged. */
import type { HourFigures } from './hour.ts';
import type { CheckpointFigures } from './pause.ts';
import type { ReplayFigures } from './replay.ts';
import type { RestartFigures } from './restart.ts';
import type { Figures } from './table.ts';

export interface Goal {
  goal: string;
  found: string;
  met: boolean;
}

export interface Goals {
  /** QoS 1, mosquitto, 10,000/s, by setting of the agent. */
  ratio_agent_to_empty_callback: number | null;
  ratio_latency_setting: number | null;
  ratio_throughput_setting: number | null;
  ratio_flat_out: number | null;
  ratio_2000: number | null;
  ratio_tls: number | null;
  /** From the feeder, flat out, QoS 1; and what one core could do by the CPU it took. */
  messages_per_s: number | null;
  messages_per_s_per_core: number | null;
  p50_ms: number | null;
  p99_ms: number | null;
  checkpoint_pause_ms: number | null;
  restart_ms: number | null;
  /** Messages folded again in a second of CPU, where they do not predict. */
  replay_per_cpu_s: number | null;
  rss_mib: number | null;
  goals: Goal[];
}

/** What is measured beside the cases; null: it was not. */
export interface Extra {
  checkpoint: readonly CheckpointFigures[] | null;
  replay: ReplayFigures | null;
  restart: RestartFigures | null;
  hour: HourFigures | null;
}

/** The cases that a goal is about. */
export const JUDGED: readonly string[] = [
  ...['mqttjs-empty', 'agent'].map((subject) => `mosquitto/qos1/2000/${subject}`),
  ...['mqttjs-empty', 'agent', 'agent-latency', 'agent-throughput'].map((subject) => `mosquitto/qos1/10000/${subject}`),
  ...['mqttjs-empty', 'agent-throughput'].map((subject) => `mosquitto/qos1/flat/${subject}`),
  'feeder/qos1/flat/agent',
  ...['mqttjs-empty', 'agent'].map((subject) => `mosquitto-tls/qos1/10000/${subject}`),
  ...['checkpoint', 'replay', 'restart'],
];

/** Memory is flat when it grows by no more than this from the second tenth of an hour to its last. */
const GROWTH_MAX = 1.1;

export function goalsOf(figures: readonly Figures[], { checkpoint, replay, restart, hour }: Extra): Goals {
  const find = (name: string): Figures | undefined => figures.find((row) => row.case === name);
  const ratio = (point: string, subject: string): number | null => {
    const [agent, empty] = [find(`${point}/${subject}`), find(`${point}/mqttjs-empty`)];
    return agent === undefined || empty === undefined ? null : agent.cpu_us_per_message / empty.cpu_us_per_message;
  };
  const tenThousand = 'mosquitto/qos1/10000';
  const flat = find('feeder/qos1/flat/agent');
  const latency = find(`${tenThousand}/agent-latency`);
  // What keeps the fold waiting; the longest stretch without a turn is in the table, beside that of the machine by itself.
  const pause = checkpoint?.at(-1)?.copy_p99_ms ?? null;
  const values = {
    ratio_agent_to_empty_callback: ratio(tenThousand, 'agent'),
    ratio_latency_setting: ratio(tenThousand, 'agent-latency'),
    ratio_throughput_setting: ratio(tenThousand, 'agent-throughput'),
    ratio_flat_out: ratio('mosquitto/qos1/flat', 'agent-throughput'),
    ratio_2000: ratio('mosquitto/qos1/2000', 'agent'),
    ratio_tls: ratio('mosquitto-tls/qos1/10000', 'agent'),
    messages_per_s: flat?.messages_per_s ?? null,
    messages_per_s_per_core: flat === undefined ? null : 1_000_000 / flat.cpu_us_per_message,
    p50_ms: latency?.p50_ms ?? null,
    p99_ms: latency?.p99_ms ?? null,
    checkpoint_pause_ms: pause,
    restart_ms: restart?.restart_ms ?? null,
    replay_per_cpu_s: replay?.per_cpu_second_without_task ?? null,
    rss_mib: find(`${tenThousand}/agent`)?.rss_mib ?? null,
  };
  const goals: Goal[] = [];
  const judge = (goal: string, value: number | null | undefined, most: number, unit: string): void => {
    if (value !== null && value !== undefined) goals.push({ goal, found: show(value, unit), met: value <= most });
  };
  const point = 'QoS 1, mosquitto, 10,000/s';
  judge(`throughput setting <= 0.45 x (${point})`, values.ratio_throughput_setting, 0.45, ' x');
  judge(`throughput setting p99 < 30 ms (${point})`, find(`${tenThousand}/agent-throughput`)?.p99_ms, 30, ' ms');
  judge('flat out <= 0.30 x (QoS 1, mosquitto)', values.ratio_flat_out, 0.3, ' x');
  judge(`latency setting p99 < 10 ms (${point})`, values.p99_ms, 10, ' ms');
  judge(`latency setting <= 1.0 x (${point})`, values.ratio_latency_setting, 1, ' x');
  judge(`default <= 0.5 x (${point})`, values.ratio_agent_to_empty_callback, 0.5, ' x');
  judge(`default p99 < 25 ms (${point})`, find(`${tenThousand}/agent`)?.p99_ms, 25, ' ms');
  judge('default <= 1.2 x (QoS 1, mosquitto, 2,000/s)', values.ratio_2000, 1.2, ' x');
  judge('default over TLS <= 0.8 x (QoS 1, mosquitto, 10,000/s)', values.ratio_tls, 0.8, ' x');
  if (replay !== null) {
    const found = `${Math.round(replay.per_cpu_second_without_task)}/s, with the task ${Math.round(replay.per_cpu_second_with_task)}/s`;
    goals.push({
      goal: 'replay >= 1,000,000 messages per second of CPU, where they do not predict',
      found,
      met: replay.per_cpu_second_without_task >= 1_000_000,
    });
  }
  if (flat !== undefined) {
    const found = `${Math.round(flat.messages_per_s)}/s, ${flat.cpu_us_per_message.toFixed(2)} us of CPU each`;
    const met = flat.messages_per_s >= 300_000 && flat.cpu_us_per_message <= 1_000_000 / 300_000;
    goals.push({ goal: '>= 300,000 durable messages/s on one core (feeder, QoS 1, flat out)', found, met });
  }
  const of = `${checkpoint?.at(-1)?.state_mib.toFixed(0)} MiB of state, ${checkpoint?.at(-1)?.changed_kib.toFixed(0)} KiB of it changed`;
  judge(`checkpoint pause p99 < 2 ms (${of})`, pause, 2, ' ms');
  judge(
    `restart < 2 s (${restart?.messages_behind} messages behind the checkpoint, the goal is for 1 M)`,
    values.restart_ms,
    2000,
    ' ms',
  );
  judge(`RSS < 100 MiB (${point})`, values.rss_mib, 100, ' MiB');
  if (hour !== null) {
    const [, second = Number.NaN] = hour.rss_mib;
    const last = hour.rss_mib.at(-1) ?? Number.NaN;
    goals.push({
      goal: `RSS flat: at most ${GROWTH_MAX} x from the second to the last tenth of ${hour.messages / 1e6} million messages`,
      found: `${second.toFixed(1)} MiB, then ${last.toFixed(1)}`,
      met: last <= GROWTH_MAX * second,
    });
  }
  return { ...values, goals };
}

function show(value: number, unit: string): string {
  return `${unit === ' x' ? value.toFixed(2) : value.toFixed(1)}${unit}`;
}
