/** A gateway's status for a person at a terminal: what a look finds, as lines of text. Pure. */
import type { AgentStatus, DoorStatus, SourceStatus, TaskStatus, Violation } from '@rivulet/host';
import type { Seen } from './status_file.ts';
import { driftLines, labelLines } from './task_text.ts';

/** The core's account of messages that no source takes; of interest only when there are any. */
const NO_SOURCE = '(no source)';
/** Findings of drift that are shown of a task; `rivulet panel show` has more. */
const DRIFT_SHOWN = 2;

/** What the directory itself tells. */
export interface Disk {
  /** Bytes of the log and of the checkpoints, and what the file system has left. */
  logBytes: number;
  checkpointBytes: number;
  freeBytes: number;
  /** Since the newest checkpoint, in milliseconds; null when there is none. */
  checkpointAgeMs: number | null;
}

export function statusText(seen: Seen, disk: Disk): string {
  const { status, messagesPerS, pid, ageMs } = seen;
  const { in_bytes, out_bytes } = status.bandwidth;
  const running = pid === null ? 'not running' : `running (process ${pid}), up ${span(status.uptime_s * 1000)}`;
  const checkpoint = disk.checkpointAgeMs === null ? 'none yet' : `${span(disk.checkpointAgeMs)} ago`;
  const wrong = status.last_error;
  const rows: [string, string[]][] = [
    ['alarms', [wrong === undefined ? 'none' : `${wrong.code}: ${wrong.message}`]],
    ['doors', status.doors.map(doorLine)],
    ['messages', [`${ledgerLine(status.ledger)}${messagesPerS === null ? '' : `; ${messagesPerS}/s`}`]],
    ['traffic', [`${bytes(in_bytes)} in, ${bytes(out_bytes)} out since the start`]],
    ['sources', status.sources.filter(({ name, received }) => received > 0 || name !== NO_SOURCE).flatMap(sourceLines)],
    ...(status.not_read === undefined ? [] : [['not read', notReadLines(status.not_read)] as [string, string[]]]),
    ['tasks', status.tasks.flatMap(taskLines)],
    [
      'disk',
      [`log ${bytes(disk.logBytes)}, checkpoints ${bytes(disk.checkpointBytes)}, free ${bytes(disk.freeBytes)}`],
    ],
    ['checkpoint', [checkpoint]],
    ['process', [`${status.rss_mib} MiB, ${status.cpu_us_per_message} us of CPU a message`]],
  ];
  const lines = rows.flatMap(([name, texts]) =>
    (texts.length === 0 ? ['none'] : texts).map((text, at) => `  ${(at === 0 ? name : '').padEnd(11)} ${text}`),
  );
  const head = `${status.gateway}: ${running}; as of ${span(ageMs)} ago`;
  // Names come from devices and files: the terminal gets no control characters.
  return [head, ...lines].map((line) => line.replace(/\p{C}/gu, '.')).join('\n');
}

function doorLine({ name, connected, stale, silent_s, broker }: DoorStatus): string {
  // Silent since the connection, where that was made anew for the silence.
  const silence = silent_s === null ? '' : `, silent for ${span(silent_s * 1000)}`;
  const silent = stale ? `${silence}, no message for longer than usual` : silence;
  const clients = broker === undefined ? '' : `, ${broker.clients} clients`;
  return `${name}: ${connected ? 'connected' : 'not connected'}${clients}${silent}`;
}

/** What was received, and what became of it where it was not simply used. */
function ledgerLine({ received, ...fates }: AgentStatus['ledger']): string {
  const { used, late, duplicate, retained, filtered, quarantined } = fates;
  const rest = Object.entries({ late, duplicate, retained, filtered, quarantined }).flatMap(([fate, count]) =>
    count > 0 ? [`, ${count} ${fate}`] : [],
  );
  return `${received} received, ${used} used${rest.join('')}`;
}

/** What a violation is called beside a number of readings. */
const VIOLATIONS: Readonly<Record<Violation, string>> = {
  range: 'out of range',
  rate: 'changed too fast',
  stuck: 'stuck',
  word: 'of an unknown word',
};

function sourceLines(source: SourceStatus): string[] {
  const { gaps, unknown, restarts, quarantined_by, violations } = source;
  const numbers = Object.entries({ gaps, unknown, restarts }).flatMap(([name, n]) => (n > 0 ? [`, ${n} ${name}`] : []));
  const why = Object.entries(quarantined_by ?? {}).map(([code, count]) => `, ${count} times ${code}`);
  const broken = Object.entries(violations ?? {}).flatMap(([kind, count]) =>
    count > 0 ? [`${count} ${VIOLATIONS[kind as Violation] ?? kind}`] : [],
  );
  return [
    `${source.name}: ${ledgerLine(source)}${numbers.join('')}${why.join('')}`,
    `  ${source.guarantee}: ${source.guarantee_why}`,
    ...(broken.length === 0 ? [] : [`  readings that broke their contract: ${broken.join(', ')}`]),
  ];
}

function notReadLines({ entities, examples }: NonNullable<AgentStatus['not_read']>): string[] {
  const more = entities > examples.length ? [`  and ${entities - examples.length} more`] : [];
  return [
    `${entities} entities announced to Home Assistant`,
    ...examples.map(({ topic, why }) => `  ${topic}: ${why}`),
    ...more,
  ];
}

function taskLines(task: TaskStatus): string[] {
  const { name, kind, error, error_last_value, matured, pending, leader } = task;
  const score =
    error === null || error_last_value === null
      ? 'no label yet'
      : `error ${error.toPrecision(3)} (baseline ${error_last_value.toPrecision(3)}) over ${matured} labels`;
  const led = leader === null ? '' : `, led by ${leader.expert}`;
  const noticed = [...driftLines(task.drift, DRIFT_SHOWN), ...labelLines(task)];
  return [`${name} (${kind}): ${score}, ${pending} waiting${led}`, ...noticed.map((line) => `  ${line}`)];
}

function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [value, unit] = [count, 0];
  while (value >= 1024 && unit < units.length - 1) {
    [value, unit] = [value / 1024, unit + 1];
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** `4 s`, `12 min`, `3 h 20 min`, `5 d 2 h`. */
function span(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const [minutes, hours, days] = [60, 3600, 86_400].map((unit) => Math.floor(seconds / unit)) as [
    number,
    number,
    number,
  ];
  if (seconds < 120) return `${seconds} s`;
  if (minutes < 120) return `${minutes} min`;
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${days} d ${hours % 24} h`;
}
