/**
 * Proof that vectors rebuilt from the log are those that were served. While it served, the gateway kept a hash per task and
 * key over all vectors (FORMATS.md section 4), and its checkpoints hold them. Here the log is folded again from its start,
 * or from the older checkpoint, up to the newest one; the vectors that come out are hashed here, number by number, and must
 * give the very hashes that the newest checkpoint has.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  type Core,
  decodePlanPayload,
  type LogReader,
  RivuletError,
  type ServedByTask,
  type ServedVector,
  type Slot,
} from '@rivulet/host';
import { type FoldStart, firstPlan, foldLog, planIn } from '../fold.ts';
import { namesOfState, planOfState } from '../replay/output_lines.ts';
import { blocksOf, readSetAside } from '../set_aside.ts';

const HASH_BYTES = 16;

export interface VerifyRequest {
  directory: string;
  /** The checkpoints, newest first: read before the log was opened, which then reaches as far as they do. */
  slots: readonly Slot[];
  log: LogReader;
  core: Core;
  /** Keys per task that are looked at, spread over all by a hash of their name; null: all. */
  keys: number | null;
  /** Only from the older checkpoint on: what is quick enough to be done again and again. */
  recent: boolean;
}

export interface Verified {
  /** The stretch of messages that was folded again. */
  fromOffset: number;
  toOffset: number;
  keys: number;
  vectors: number;
  /** Keys whose vectors are not those that were served. */
  different: { task: string; key: string; served: number; rebuilt: number }[];
}

/** @throws RIV_CHECKPOINT_LOST without a checkpoint, RIV_KERNEL_OTHER when another core served, and what the fold throws */
export async function verifyServed(request: VerifyRequest): Promise<Verified> {
  const { core, log, directory, slots } = request;
  const [newest, older] = slots;
  if (newest === undefined) {
    throw new RivuletError('RIV_CHECKPOINT_LOST', {
      found: 'there is no checkpoint: nothing says what was served',
      where: directory,
    });
  }
  if (!core.kernelHash.equals(newest.kernelHash)) {
    throw new RivuletError('RIV_KERNEL_OTHER', {
      found: 'the newest checkpoint was written by another core',
      where: directory,
    });
  }
  const base = await baseOf(request, newest, older);
  const rebuilt = base.served;
  let names = base.names;
  let vectors = 0;
  const sample = sampled(servedIn(core, newest.state), namesOfState(newest.state).tasks, request.keys);
  await foldLog({
    ...{ core, start: base.start, log: upTo(log, newest.nextSequence), traced: true },
    setAside: await readSetAside(join(directory, 'quarantine')),
    wanted: (kind) => kind === 'served',
    folded(outputs, blocks) {
      const plan = planIn(blocks);
      if (plan !== null) {
        const then = names;
        names = definitionsOf(decodePlanPayload(plan).plan);
        // A task that is defined otherwise begins anew.
        for (const [task, definition] of then) {
          if (names.get(task) !== definition) {
            rebuilt.delete(task);
          }
        }
      }
      const tasks = [...names.keys()];
      for (const output of outputs) {
        const task = tasks[output.subject] ?? '';
        if (output.kind === 'served' && sample.get(task)?.has(output.key) === true) {
          vectors += 1;
          add(rebuilt, task, output);
        }
      }
    },
  });
  const different = [...sample].flatMap(([task, keys]) =>
    [...keys].flatMap(([key, served]) => {
      const mine = rebuilt.get(task)?.get(key) ?? NOTHING;
      const same = mine.count === served.count && mine.hash.equals(served.hash);
      return same ? [] : [{ task, key, served: served.count, rebuilt: mine.count }];
    }),
  );
  const keys = [...sample.values()].reduce((sum, of) => sum + of.size, 0);
  return { fromOffset: base.offset, toOffset: newest.nextOffset, keys, vectors, different };
}

type ByKey = ServedByTask[number];
/** Tasks by name. */
type Served = Map<string, ByKey>;

const NOTHING = { count: 0, hash: Buffer.alloc(HASH_BYTES) };

/** Where the fold begins, and what had been served by then. */
async function baseOf({ log, core, recent }: VerifyRequest, newest: Slot, older: Slot | undefined) {
  const usable =
    older !== undefined && core.kernelHash.equals(older.kernelHash) && older.nextSequence >= log.oldestSequence;
  if (older !== undefined && usable && (recent || log.oldestSequence > 0)) {
    const start: FoldStart = { state: older.state, fromSequence: older.nextSequence };
    const names = definitionsOf(planOfState(older.state));
    return { start, offset: older.nextOffset, names, served: byName(servedIn(core, older.state), [...names.keys()]) };
  }
  if (recent) {
    throw new RivuletError('RIV_CHECKPOINT_LOST', {
      found: 'there is one checkpoint only',
      todo: 'Try again after the next.',
    });
  }
  if (log.oldestSequence > 0) {
    const found = `the log begins at block ${log.oldestSequence}, behind the older checkpoint`;
    throw new RivuletError('RIV_LOG_GONE', {
      found,
      expected: `one that reaches back behind block ${newest.nextSequence}`,
    });
  }
  const { plan } = await firstPlan(log);
  return { start: { plan } as FoldStart, offset: 0, names: definitionsOf(plan), served: new Map() as Served };
}

/** Tasks in the order of the plan, each with its definition. */
function definitionsOf(plan: Uint8Array): Map<string, string> {
  const { tasks } = JSON.parse(Buffer.from(plan).toString('utf8')) as { tasks: { name: string }[] };
  return new Map(tasks.map((task) => [task.name, JSON.stringify(task)]));
}

function servedIn(core: Core, state: Uint8Array): ServedByTask {
  const engine = core.newEngine();
  engine.restore(state);
  return engine.trace(false);
}

function byName(served: ServedByTask, tasks: readonly string[]): Served {
  return new Map(served.map((keys, index) => [tasks[index] ?? '', keys]));
}

/** Of each task the keys with the least hash of task and name: another sample for every task, the same in every run. */
function sampled(served: ServedByTask, tasks: readonly string[], count: number | null): Served {
  const rank = (task: string, key: string): string => createHash('sha256').update(`${task}\n${key}`).digest('hex');
  const of = ([task, keys]: [string, ByKey]): [string, ByKey] => {
    const spoken = [...keys].filter(([, { count: vectors }]) => vectors > 0);
    const ranked = spoken.map(([key, value]) => ({ key, value, rank: rank(task, key) }));
    ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1));
    return [task, new Map(ranked.slice(0, count ?? ranked.length).map(({ key, value }) => [key, value]))];
  };
  return new Map([...byName(served, tasks)].map(of));
}

/** The same step as in the core: the hash before, the offset, the event time and the features. */
function add(served: Served, task: string, { key, offset, at, features }: ServedVector): void {
  const keys = served.get(task) ?? new Map();
  served.set(task, keys);
  const before = keys.get(key) ?? NOTHING;
  const bytes = Buffer.alloc(HASH_BYTES + 16 + 8 * features.length);
  before.hash.copy(bytes);
  bytes.writeBigUInt64LE(BigInt(offset), HASH_BYTES);
  [at, ...features].forEach((value, place) => {
    if (Number.isNaN(value)) {
      bytes.writeBigUInt64LE(0x7ff8_0000_0000_0000n, HASH_BYTES + 8 + 8 * place);
    } else {
      bytes.writeDoubleLE(value, HASH_BYTES + 8 + 8 * place);
    }
  });
  const hash = createHash('sha256').update(bytes).digest().subarray(0, HASH_BYTES);
  keys.set(key, { count: before.count + 1, hash });
}

/** A log that ends before a block. */
function upTo(log: LogReader, sequence: number): LogReader {
  return {
    ...log,
    async *read(from) {
      for await (const chunk of log.read(from)) {
        const behind = [...blocksOf(chunk)].find((block) => block.sequence >= sequence);
        const rest = chunk.subarray(0, behind?.at ?? chunk.length);
        if (rest.length > 0) {
          yield rest;
        }
        if (behind !== undefined) {
          return;
        }
      }
    },
  };
}
