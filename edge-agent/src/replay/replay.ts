/**
 * Replay: any past moment of a log, rebuilt. It begins at the newest usable checkpoint before the moment, else at the
 * log's start, and only reads. Under another plan it answers what would have happened; that begins at the log's start,
 * since a checkpoint has learned under the plan of then.
 */
import { join } from 'node:path';
import {
  type Config,
  type Core,
  compilePlan,
  decodePlanPayload,
  type Engine,
  type EngineReport,
  type LogReader,
  openSlots,
  RivuletError,
  sha256,
} from '@rivulet/host';
import { type FoldStart, firstPlan, foldLog, planIn } from '../fold.ts';
import type { Moment } from '../moment.ts';
import { readSetAside } from '../set_aside.ts';
import { type Names, namesOfPlan, namesOfState, type OutputSink } from './output_lines.ts';

export interface ReplayRequest {
  directory: string;
  log: LogReader;
  core: Core;
  from: Moment | null;
  until: Moment | null;
  /** Another configuration; null: as it was. */
  config: Config | null;
  /** Takes the outputs from `from` on; null: nobody wants them. */
  sink: OutputSink | null;
}

export interface Replayed {
  /** The report at `from` (null: the log's start) and at the end. */
  before: EngineReport | null;
  after: EngineReport;
  digest: string;
  /** Offset at which the fold began, and how long it took. */
  startOffset: number;
  seconds: number;
  /** Messages that trap this core though it was not known: they are left out here. */
  newlyAside: number;
  /** The last plan came with this core. */
  kernelIsSame: boolean;
}

/** @throws RIV_LOG_GONE when the log no longer reaches back far enough */
export async function replay(request: ReplayRequest): Promise<Replayed> {
  const { core, log, directory, from, until, sink } = request;
  const setAside = await readSetAside(join(directory, 'quarantine'));
  const known = setAside.length;
  const { start, startOffset, firstNames } = await startOf(request);
  let before: EngineReport | null = null;
  let names = firstNames;
  let shown = from === null;
  let kernelIsSame = true;
  const began = performance.now();
  const engine = await foldLog({
    ...{ core, log, start, setAside, ownPlan: request.config !== null },
    ...(until === null ? {} : { until }),
    ...(from === null
      ? {}
      : {
          mark: {
            at: from,
            reached(engine: Engine) {
              before = engine.report();
              shown = true;
            },
          },
        }),
    wanted: () => sink !== null && shown,
    begin() {
      names = firstNames;
      shown = from === null;
      sink?.begin();
    },
    folded(outputs, blocks) {
      const plan = planIn(blocks);
      if (plan !== null) {
        const decoded = decodePlanPayload(plan);
        kernelIsSame = core.kernelHash.equals(decoded.kernelHash);
        names = namesOfPlan(decoded.plan);
      }
      for (const output of outputs) {
        if (from === null || !('offset' in from) || output.offset >= from.offset) {
          sink?.write(output, names);
        }
      }
    },
  });
  const seconds = (performance.now() - began) / 1000;
  const digest = sha256(engine.checkpoint()).toString('hex');
  const newlyAside = setAside.length - known;
  return { before, after: engine.report(), digest, startOffset, seconds, newlyAside, kernelIsSame };
}

/** The newest usable checkpoint before `from`, else the log's start. */
export async function startOf(
  request: Pick<ReplayRequest, 'directory' | 'log' | 'core' | 'from' | 'config'>,
): Promise<{ start: FoldStart; startOffset: number; firstNames: Names }> {
  const { directory, log, core, config } = request;
  if (config !== null) {
    refuseUnlessWhole(request);
    const plan = compilePlan(config);
    return { start: { plan }, startOffset: 0, firstNames: namesOfPlan(plan) };
  }
  const slot = request.from === null ? null : await (await openSlots(join(directory, 'checkpoint'))).load();
  const usable =
    slot !== null &&
    request.from !== null &&
    core.kernelHash.equals(slot.kernelHash) &&
    slot.nextSequence >= log.oldestSequence &&
    ('offset' in request.from
      ? slot.nextOffset <= request.from.offset
      : slot.nextSequence <= (await log.sequenceAt(request.from.wallMs)));
  if (usable) {
    const start = { state: slot.state, fromSequence: slot.nextSequence };
    return { start, startOffset: slot.nextOffset, firstNames: namesOfState(slot.state) };
  }
  refuseUnlessWhole(request);
  const { plan } = await firstPlan(log);
  return { start: { plan }, startOffset: 0, firstNames: namesOfPlan(plan) };
}

function refuseUnlessWhole({ log, directory }: Pick<ReplayRequest, 'log' | 'directory'>): void {
  if (log.oldestSequence > 0) {
    throw new RivuletError('RIV_LOG_GONE', {
      found: `the log begins at block ${log.oldestSequence}: what came before is no longer kept`,
      expected: 'a log from its start (raise `log.keep`), or `--from` a moment behind the newest checkpoint',
      where: directory,
    });
  }
}
