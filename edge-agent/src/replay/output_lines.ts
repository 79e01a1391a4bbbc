/** Outputs of a replay as lines of JSON in a file: every kind, with the names of then and the ids of then. */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { byteReader, type Output, RivuletError, type WindowResult, windowStatistics } from '@rivulet/host';

/** Lines are collected up to this length before they are written. */
const BUFFER_CHARS = 1 << 20;
/** Before the plan in a state stand its magic and version. */
const STATE_HEAD_BYTES = 6;
const PLAN_BYTES_MAX = 16 * 1024 * 1024;

/** Names that outputs refer to by number. */
export interface Names {
  tasks: string[];
  windows: { name: string; stats: string[] }[];
  accounts: string[];
}

export interface OutputSink {
  /** The fold begins (again): what was written for it is void. */
  begin(): void;
  write(output: Output, names: Names): void;
}

export function namesOfPlan(plan: Uint8Array): Names {
  interface Named {
    name: string;
    stats?: string[];
    label?: object | null;
  }
  const { tasks, windows, sources } = JSON.parse(Buffer.from(plan).toString('utf8')) as Record<string, Named[]>;
  const of = (list: Named[] | undefined): string[] => (list ?? []).map(({ name }) => name);
  const labels = (tasks ?? []).filter(({ label }) => label !== null && label !== undefined);
  const accounts = [...of(sources), ...of(labels).map((name) => `labels:${name}`), '(no source)'];
  return {
    tasks: of(tasks),
    windows: (windows ?? []).map(({ name, stats }) => ({ name, stats: stats ?? [] })),
    accounts,
  };
}

/** A state begins with the plan that it follows. */
export function planOfState(state: Uint8Array): Buffer {
  const reader = byteReader(state, 'a state');
  reader.raw(STATE_HEAD_BYTES);
  return reader.bytes(PLAN_BYTES_MAX);
}

export function namesOfState(state: Uint8Array): Names {
  return namesOfPlan(planOfState(state));
}

/** A file that takes the outputs of one or more folds, one after the other. */
export interface OutputFile {
  /** @param run names the fold in every line; empty: there is only one */
  sink(run: string): OutputSink;
  close(): void;
}

/** @throws RIV_FILE_UNREADABLE when the file cannot be made */
export function openOutputFile(path: string): OutputFile {
  const file = create(path);
  let written = 0;
  let waiting = '';
  const flush = (): void => {
    const bytes = Buffer.from(waiting);
    waiting = '';
    for (let at = 0; at < bytes.length; ) {
      at += writeSync(file, bytes, at, bytes.length - at, written + at);
    }
    written += bytes.length;
  };
  return {
    sink(run) {
      flush();
      const start = written;
      return {
        begin() {
          waiting = '';
          written = start;
          ftruncateSync(file, start);
        },
        write(output, names) {
          waiting += `${JSON.stringify({ ...(run === '' ? {} : { run }), ...line(output, names) })}\n`;
          if (waiting.length > BUFFER_CHARS) {
            flush();
          }
        },
      };
    },
    close() {
      flush();
      closeSync(file);
    },
  };
}

function create(path: string): number {
  try {
    return openSync(path, 'w');
  } catch (cause) {
    const found = `cannot write the outputs (${(cause as NodeJS.ErrnoException).code})`;
    throw new RivuletError('RIV_FILE_UNREADABLE', { found, where: path, cause });
  }
}

function windowLine(output: WindowResult, window: Names['windows'][number] | undefined): object {
  const { key, field, start, end, count, revision, final } = output;
  const named = { window: window?.name ?? String(output.subject), key, field, start, end, count };
  return { ...named, ...windowStatistics(window?.stats ?? [], output), revision, final };
}

/** JSON.stringify writes NaN as null, which is what an unknown number is here. */
function line(output: Output, names: Names): object {
  const { kind, id, offset, subject, ordinal: _, ...fields } = output as Output & Record<string, unknown>;
  switch (output.kind) {
    case 'prediction':
    case 'alarm':
    case 'drift':
      return { kind, id, offset, task: names.tasks[subject] ?? String(subject), ...fields };
    case 'window':
      return { kind, id, offset, ...windowLine(output, names.windows[subject]) };
    case 'quarantine':
      return { kind, id, offset, ...fields, source: names.accounts[output.source] ?? String(output.source) };
    case 'late':
      return { kind, id, offset, window: names.windows[subject]?.name ?? null, ...fields };
    case 'rebirth':
      return { kind, id, offset, ...fields };
    case 'announcement':
      return { kind, id, offset, topic: output.topic, bytes: output.payload.length };
    case 'forward':
      return { kind, id, offset, rule: subject, ...fields };
    case 'served':
    case 'outcome':
      return { kind, id, offset, task: names.tasks[subject] ?? String(subject), ...fields };
  }
}
