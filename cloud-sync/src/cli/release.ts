/** `rivulet-cloud release ls|show|diff|pin|rollback`: what was released, and what gateways are told. */
import { parseArgs } from 'node:util';
import { RivuletError } from '@rivulet/host';
import type { OperatorCommand } from '../operate/command.ts';
import type { NamedReleaseView, ReleaseDiffView, ShownReleaseView, ToldView } from '../operate/releases.ts';
import { OPERATE_OPTIONS, operate } from './operate.ts';

/** Weights printed of one model or difference; --json has all. */
const WEIGHTS_SHOWN_MAX = 20;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parsed(argv);
  const [name = 'ls', ...args] = positionals;
  const { command, print } = commandOf(name, args, values.task ?? null, Number(values.limit));
  const answer = await operate<never>(values.state, command);
  process.stdout.write(`${values.json ? JSON.stringify(answer) : print(answer)}\n`);
  return 0;
}

function parsed(argv: string[]) {
  try {
    const options = { ...OPERATE_OPTIONS, task: { type: 'string' }, limit: { type: 'string', default: '20' } } as const;
    return parseArgs({ args: argv, allowPositionals: true, options });
  } catch (error) {
    throw new RivuletError('RIV_USAGE', (error as Error).message);
  }
}

interface Asked {
  readonly command: OperatorCommand;
  readonly print: (answer: never) => string;
}

function commandOf(name: string, args: readonly string[], task: string | null, limit: number): Asked {
  const [first = '', second = ''] = args;
  const takes = (count: number) => {
    if (args.length !== count) throw new RivuletError('RIV_USAGE', `release ${name} takes ${count} releases`);
  };
  switch (name) {
    case 'ls':
      takes(0);
      if (!(Number.isInteger(limit) && limit > 0)) throw new RivuletError('RIV_USAGE', 'a --limit that is no number');
      return { command: { do: 'releases', task, limit }, print: listText };
    case 'show':
      takes(1);
      return { command: { do: 'show', ref: first, task }, print: showText };
    case 'diff':
      takes(2);
      return { command: { do: 'diff', from: first, to: second, task }, print: diffText };
    case 'pin':
      takes(1);
      return { command: { do: 'pin', ref: first, task }, print: toldText };
    case 'rollback':
      if (args.length > 1 || (first === '' && task === null)) {
        throw new RivuletError('RIV_USAGE', 'release rollback takes one task');
      }
      return { command: { do: 'rollback', task: first === '' ? (task as string) : first }, print: toldText };
    default:
      throw new RivuletError('RIV_USAGE', `there is no command release ${name}`);
  }
}

function listText(releases: readonly NamedReleaseView[]): string {
  if (releases.length === 0) return 'There is no release yet.';
  return releases.map(lineOf).join('\n');
}

function lineOf({ hash, task, form, gateways, rows, created_at, aliases, pinned }: NamedReleaseView): string {
  const names = [...aliases, ...(pinned ? ['pinned'] : [])].join(', ');
  const made = new Date(created_at).toISOString();
  return `${hash.slice(0, 12)}  ${made}  ${task}  ${form}  ${gateways} gateways  ${rows} rows${names ? `  (${names})` : ''}`;
}

function showText(release: ShownReleaseView): string {
  const weights = Object.entries(release.weights);
  return [
    lineOf(release),
    `hash    ${release.hash}`,
    `parent  ${release.parent ?? 'none'}`,
    `schema  ${release.schema}`,
    ...release.lineage.map(
      ({ gateway, incarnation, seq }) => `of      ${gateway} ${incarnation.slice(0, 8)} delta ${seq}`,
    ),
    ...(release.forgotten.length > 0 ? [`made with forgotten gateways: ${release.forgotten.join(', ')}`] : []),
    ...weights.slice(0, WEIGHTS_SHOWN_MAX).map(([name, weight]) => `weight  ${name} = ${weight}`),
    ...(weights.length > WEIGHTS_SHOWN_MAX ? [`… ${weights.length - WEIGHTS_SHOWN_MAX} more with --json`] : []),
  ].join('\n');
}

function diffText({ from, to, joined, left, weights }: ReleaseDiffView): string {
  const rows = to.rows - from.rows;
  return [
    `${from.hash.slice(0, 12)} → ${to.hash.slice(0, 12)}: ${rows >= 0 ? '+' : ''}${rows} rows, ${from.gateways} → ${to.gateways} gateways`,
    ...joined.map((gateway) => `joined  ${gateway}`),
    ...left.map((gateway) => `left    ${gateway}`),
    ...weights
      .slice(0, WEIGHTS_SHOWN_MAX)
      .map(({ name, from, to }) => `weight  ${name}: ${from ?? '–'} → ${to ?? '–'}`),
    ...(weights.length > WEIGHTS_SHOWN_MAX ? [`… ${weights.length - WEIGHTS_SHOWN_MAX} more with --json`] : []),
  ].join('\n');
}

function toldText({ task, champion, previous, pinned }: ToldView): string {
  const told = champion === null ? 'nothing' : `${champion}${pinned ? ' (pinned)' : ', and what comes after it'}`;
  return `Gateways with the task ${task} are told ${told}. Before: ${previous ?? 'nothing'}.`;
}
