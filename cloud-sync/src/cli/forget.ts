/** `rivulet-cloud forget GATEWAY`: takes a gateway out of every model and says what was proven and what cannot be undone. */
import { parseArgs } from 'node:util';
import { RivuletError } from '@rivulet/host';
import type { ForgetAnswer, ForgottenModel } from '../operate/forget.ts';
import { OPERATE_OPTIONS, operate } from './operate.ts';

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parsed(argv);
  const [gateway, ...rest] = positionals;
  if (gateway === undefined || rest.length > 0) throw new RivuletError('RIV_USAGE', 'forget takes one gateway');
  const command = { do: 'forget', gateway, allowReturn: values['allow-return'] } as const;
  const answer = await operate<ForgetAnswer>(values.state, command);
  process.stdout.write(values.json ? `${JSON.stringify(answer)}\n` : `${textOf(answer)}\n`);
  return 0;
}

function parsed(argv: string[]) {
  try {
    const options = { ...OPERATE_OPTIONS, 'allow-return': { type: 'boolean', default: false } } as const;
    return parseArgs({ args: argv, allowPositionals: true, options });
  } catch (error) {
    throw new RivuletError('RIV_USAGE', (error as Error).message);
  }
}

function textOf({ gateway, allow_return, models, not_removable }: ForgetAnswer): string {
  const lines = [
    models.length === 0 ? `${gateway} has no part in any model.` : `${gateway} is out of ${models.length} models:`,
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

function modelLines({ task, gateways, rows, root_after, release }: ForgottenModel): string[] {
  return [
    `  ${task}: ${gateways} gateways and ${rows} rows are left; ${release === null ? 'too few for a release' : `release ${release}`}`,
    `    root ${root_after}, the same as of a fleet that never had it`,
  ];
}
