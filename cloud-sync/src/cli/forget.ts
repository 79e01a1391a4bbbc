/** `rivulet-cloud forget GATEWAY`: takes a gateway out of every model and says what was proven and what cannot be undone. */
import { parseArgs } from 'node:util';
import { parseDuration, RivuletError, systemClock } from '@rivulet/host';
import type { ForgetAnswer, ForgottenModel } from '../operate/forget.ts';
import { OPERATE_OPTIONS, operate } from './operate.ts';

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parsed(argv);
  const [gateway, ...rest] = positionals;
  if (gateway === undefined || rest.length > 0) throw new RivuletError('RIV_USAGE', 'forget takes one gateway');
  const sinceMs = values.since === undefined ? null : momentOf(values.since);
  const command = { do: 'forget', gateway, allowReturn: values['allow-return'], sinceMs } as const;
  const answer = await operate<ForgetAnswer>(values.state, command);
  process.stdout.write(values.json ? `${JSON.stringify(answer)}\n` : `${textOf(answer)}\n`);
  return 0;
}

function parsed(argv: string[]) {
  try {
    const options = {
      ...OPERATE_OPTIONS,
      'allow-return': { type: 'boolean', default: false },
      since: { type: 'string' },
    } as const;
    return parseArgs({ args: argv, allowPositionals: true, options });
  } catch (error) {
    throw new RivuletError('RIV_USAGE', (error as Error).message);
  }
}

/** A moment as people write it: with its zone, or so long ago. */
function momentOf(text: string): number {
  const found = { found: `--since ${text}`, expected: 'a moment as 2026-11-20T08:00:00Z, or so long ago as 36h' };
  if (/^\d{4}-/.test(text)) {
    const ms = /(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
    if (Number.isNaN(ms)) throw new RivuletError('RIV_USAGE', found);
    return ms;
  }
  try {
    return systemClock().wallMs() - parseDuration(text);
  } catch (cause) {
    throw new RivuletError('RIV_USAGE', { ...found, cause });
  }
}

function textOf({ gateway, allow_return, since, models, not_removable }: ForgetAnswer): string {
  const what = since === null ? gateway : `What ${gateway} handed in since ${new Date(since).toISOString()}`;
  const lines = [
    models.length === 0 ? `${what} has no part in any model.` : `${what} is out of ${models.length} models:`,
    ...models.flatMap(modelLines),
    allow_return ? 'Its next delta is taken again.' : 'Its later deltas are refused (RIV_GATEWAY_FORGOTTEN).',
  ];
  if (not_removable.length > 0) {
    lines.push(
      `${not_removable.length} releases were made with it and went out. They are not removable in this sense:`,
      ...not_removable.map((hash) => `  ${hash}`),
    );
  }
  return lines.join('\n');
}

function modelLines({ task, gateways, rows, root_after, release, goes_back_to }: ForgottenModel): string[] {
  const back =
    goes_back_to === null ? [] : [`    what it had handed in by ${new Date(goes_back_to).toISOString()} stays`];
  return [
    `  ${task}: ${gateways} gateways and ${rows} rows are left; ${release === null ? 'too few for a release' : `release ${release}`}`,
    `    root ${root_after}, the same as of a fleet that never had it`,
    ...back,
  ];
}
