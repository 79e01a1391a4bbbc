/** The bench's result for people. */
import type { Case } from './cases.ts';
import type { Extra, Goals } from './goals.ts';

/** Medians over the rounds of one case. */
export interface Figures extends Case {
  case: string;
  about: string;
  runs: number;
  cpu_us_per_message: number;
  cpu_us_all: number[];
  messages_per_s: number;
  rss_mib: number;
  load: number;
  /** Sums over the rounds. */
  sent: number;
  lost: number;
  p50_ms?: number;
  p99_ms?: number;
  predictions?: number;
  beat_ms?: number;
  not_used?: number;
}

export function printTable(
  result: Extra & { say(line: string): void; figures: readonly Figures[]; goals: Goals },
): void {
  const { say, figures, checkpoint, replay, restart, hour, goals } = result;
  say('');
  say('| case | CPU us/message (all rounds) | messages/s | p50 / p99 ms | beat ms | RSS MiB | lost | load |');
  say('|---|---|--:|--:|--:|--:|--:|--:|');
  for (const row of figures) {
    const latency = row.p50_ms === undefined ? '' : `${one(row.p50_ms)} / ${one(row.p99_ms)}`;
    const all = row.cpu_us_all.map((value) => value.toFixed(1)).join(' · ');
    const lost = row.lost === 0 ? '0' : `${row.lost} of ${row.sent}`;
    say(
      `| ${row.case} | **${row.cpu_us_per_message.toFixed(2)}** (${all}) | ${Math.round(row.messages_per_s)} | ${latency} | ` +
        `${one(row.beat_ms)} | ${Math.round(row.rss_mib)} | ${lost} | ${row.load.toFixed(1)} |`,
    );
  }
  for (const row of checkpoint ?? []) {
    say(
      `checkpoint of ${row.state_mib.toFixed(1)} MiB, ${Math.round(row.changed_kib)} KiB changed since the last: ` +
        `pause p50 ${one(row.p50_ms)} ms, p99 ${one(row.p99_ms)} ms, of it the copy p50 ${row.copy_p50_ms.toFixed(2)} ms, ` +
        `p99 ${row.copy_p99_ms.toFixed(2)} ms; the same without a checkpoint p50 ${one(row.control_p50_ms)} ms, ` +
        `p99 ${one(row.control_p99_ms)} ms (${row.checkpoints} checkpoints)`,
    );
  }
  if (replay !== null) {
    say(
      `replay of ${replay.messages} messages: ${Math.round(replay.per_cpu_second_with_task)} a second of CPU ` +
        `(${replay.cpu_us_with_task.toFixed(2)} us each), without the task ${Math.round(replay.per_cpu_second_without_task)} ` +
        `(${replay.cpu_us_without_task.toFixed(2)} us)`,
    );
  }
  if (restart !== null) {
    say(
      `restart with ${restart.messages_behind} messages behind the checkpoint: ${Math.round(restart.restart_ms)} ms ` +
        `to the first new prediction`,
    );
  }
  if (hour !== null) {
    say(
      `${hour.messages / 1e6} million messages in ${Math.round(hour.seconds)} s, ${hour.cpu_us_per_message.toFixed(2)} us of CPU ` +
        `each; MiB at most, by tenths: ${hour.rss_mib.map((value) => Math.round(value)).join(' · ')}`,
    );
  }
  say('');
  for (const { goal, found, met } of goals.goals) say(`${met ? 'met   ' : 'MISSED'} ${goal}: ${found}`);
}

function one(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? '' : value.toFixed(1);
}
