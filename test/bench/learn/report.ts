/** The bench's outcome as tables: per task every contender, best first, and at the end ours beside the best peer. */
import type { EvaluationResult } from '../../../edge-agent/src/evaluate/evaluation.ts';
import type { PredictionTimes } from './ours.ts';
import type { PeerResult } from './peers.ts';
import type { Scores } from './scores.ts';

/** What came out for one task and delay. */
export interface Outcome {
  task: string;
  kind: 'classification' | 'regression';
  rows: number;
  classes: number;
  label_delay: number;
  ours: EvaluationResult;
  /** The same with a budget of 1 µs. */
  small: EvaluationResult;
  /** Single predictions of the default. */
  prediction: PredictionTimes;
  last_label: Scores;
  /** Of answering with the label's own current value, where that is a column. */
  current_value?: Scores;
  peers: PeerResult[];
}

interface Contender {
  name: string;
  scores: Scores;
  cpu: string;
}

const OURS = 'rivulet, default';
const SMALL = 'rivulet, 1 µs';

/** Rows from which our CPU per row is worth printing. */
const ROWS_TIMED_MIN = 5_000;

/** The score that decides: accuracy or, for numbers, mean absolute error. */
function better(kind: Outcome['kind'], a: Scores, b: Scores): number {
  return kind === 'classification' ? (b.accuracy ?? 0) - (a.accuracy ?? 0) : (a.mae ?? 0) - (b.mae ?? 0);
}

/** Every contender of one task. */
export function taskTable(outcome: Outcome): string {
  const { ours, small, kind } = outcome;
  const contenders: Contender[] = [
    {
      name: OURS,
      scores: scoresOf(ours, kind),
      cpu: ourCpu(outcome, `${ours.us_per_row.toFixed(1)} (process ${ours.process_us_per_row.toFixed(1)})`),
    },
    { name: SMALL, scores: scoresOf(small, kind), cpu: ourCpu(outcome, small.us_per_row.toFixed(1)) },
    { name: 'last label', scores: outcome.last_label, cpu: '' },
    ...(outcome.current_value === undefined ? [] : [{ name: 'current value', scores: outcome.current_value, cpu: '' }]),
    ...outcome.peers.map(({ spec, scores, us_per_row }) => ({
      name: spec,
      scores,
      cpu: us_per_row.toFixed(us_per_row < 100 ? 1 : 0),
    })),
  ].sort((a, b) => better(kind, a.scores, b.scores));
  const heads = kind === 'classification' ? ['accuracy', 'log loss', 'kappa'] : ['MAE', 'RMSE'];
  const lines = contenders.map(({ name, scores, cpu }) => [
    name,
    ...(kind === 'classification'
      ? [shown(scores.accuracy), shown(scores.log_loss), shown(scores.kappa)]
      : [shown(scores.mae), shown(scores.rmse)]),
    cpu,
  ]);
  const late = outcome.label_delay === 0 ? 'labels at once' : `labels ${outcome.label_delay} rows late`;
  const about = `${outcome.task}: ${outcome.rows} rows, ${outcome.classes > 0 ? `${outcome.classes} classes, ` : ''}${late}`;
  return `${about}\n${aligned([['', ...heads, 'CPU µs/row'], ...lines])}`;
}

/** Ours beside the best peer of each task, chosen in hindsight, and the cheapest that comes near it. */
export function summary(outcomes: readonly Outcome[]): string {
  const lines = outcomes.map((outcome) => {
    const { kind, peers } = outcome;
    const score = kind === 'classification' ? 'accuracy' : 'mae';
    const raw = best(
      peers.filter(({ spec }) => !spec.startsWith('+ours')),
      kind,
    );
    const given = best(
      peers.filter(({ spec }) => spec.startsWith('+ours')),
      kind,
    );
    const ours = scoresOf(outcome.ours, kind);
    const rival = [raw?.scores, outcome.last_label, outcome.current_value].filter((one) => one !== undefined);
    const ahead = rival.every((one) => better(kind, ours, one) <= 0);
    const aheadOnOurs = given === undefined || better(kind, ours, given.scores) <= 0;
    return [
      `${outcome.task} ${outcome.label_delay}`,
      score,
      shown(ours[score]),
      kind === 'classification' ? shown(ours.log_loss) : '',
      shown((outcome.current_value ?? outcome.last_label)[score]),
      raw === undefined ? '' : `${shown(raw.scores[score])} ${raw.spec}`,
      given === undefined ? '' : `${shown(given.scores[score])} ${given.spec.slice('+ours '.length)}`,
      ourCpu(outcome, outcome.ours.us_per_row.toFixed(1)),
      raw === undefined ? '' : raw.us_per_row.toFixed(1),
      ahead ? (aheadOnOurs ? 'ahead' : 'ahead, not of it on our inputs') : 'behind',
    ];
  });
  const head = ['task, delay', '', 'ours', '(log loss)', 'last label*', 'best peer', 'best peer on our inputs'];
  const table = aligned([[...head, 'our µs', 'its µs', ''], ...lines]);
  return outcomes.some(({ current_value }) => current_value !== undefined)
    ? `${table}\n* where a column is the label's own current value: that value`
    : table;
}

/** What the default and the small panel take by the clock and by their own account, what is true of what they say of certainty. */
export function costs(outcomes: readonly Outcome[]): string {
  const lines = outcomes.map((outcome) => {
    const { ours, small, kind, prediction } = outcome;
    const score = kind === 'classification' ? 'accuracy' : 'mae';
    return [
      `${outcome.task} ${outcome.label_delay}`,
      score,
      shown(ours.metrics[score]),
      ourCpu(outcome, ours.us_per_row.toFixed(2)),
      ours.nominal_us_per_row.toFixed(2),
      prediction.p50_us.toFixed(1),
      prediction.p99_us.toFixed(1),
      shown(small.metrics[score]),
      ourCpu(outcome, small.us_per_row.toFixed(2)),
      small.nominal_us_per_row.toFixed(2),
      kind === 'classification'
        ? `calibration error ${shown(ours.metrics.calibration_error)}`
        : `within the 90 % interval ${shown(ours.metrics.coverage)}`,
    ];
  });
  const head = ['task, delay', '', 'default', 'µs', 'nominal', 'p50', 'p99', '1 µs panel', 'µs', 'nominal', ''];
  return aligned([head, ...lines]);
}

function best(peers: readonly PeerResult[], kind: Outcome['kind']): PeerResult | undefined {
  return [...peers].sort((a, b) => better(kind, a.scores, b.scores))[0];
}

function scoresOf({ metrics }: EvaluationResult, kind: Outcome['kind']): Scores {
  return kind === 'classification'
    ? { accuracy: metrics.accuracy ?? 0, log_loss: metrics.log_loss ?? null, kappa: metrics.kappa ?? null }
    : { mae: metrics.mae ?? 0, rmse: metrics.rmse ?? 0 };
}

/** Ours is counted in ticks of the kernel's clock, some milliseconds: a short table says nothing. */
function ourCpu({ rows }: Outcome, text: string): string {
  return rows >= ROWS_TIMED_MIN ? text : '–';
}

function shown(value: number | null | undefined): string {
  if (value === undefined || value === null) return '–';
  if (!Number.isFinite(value) || Math.abs(value) >= 1e6) return value.toExponential(1);
  return Math.abs(value) < 1 ? value.toFixed(4) : value.toPrecision(5);
}

function aligned(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
