/** `rivulet-cloud kernel ls|accept|refuse`: the cores whose statistics are taken. */
import { parseArgs } from 'node:util';
import { RivuletError } from '@rivulet/host';
import type { OperatorCommand } from '../operate/command.ts';
import type { KernelView } from '../operate/kernels.ts';
import { OPERATE_OPTIONS, operate } from './operate.ts';

const WHY = { running: 'runs here', run: 'ran here before', named: 'named by an operator' } as const;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parsed(argv);
  const answer = await operate<KernelView[]>(values.state, commandOf(positionals));
  const lines = answer.map(({ hash, since, why }) => `${hash}  since ${new Date(since).toISOString()}  ${WHY[why]}`);
  process.stdout.write(`${values.json ? JSON.stringify(answer) : lines.join('\n')}\n`);
  return 0;
}

function commandOf([name = 'ls', hash, ...rest]: readonly string[]): OperatorCommand {
  if (name === 'ls' && hash === undefined) return { do: 'kernels' };
  if ((name === 'accept' || name === 'refuse') && hash !== undefined && rest.length === 0) {
    return { do: 'kernel', hash: hash.toLowerCase(), accept: name === 'accept' };
  }
  throw new RivuletError('RIV_USAGE', 'kernel takes ls, or accept or refuse and one hash');
}

function parsed(argv: string[]) {
  try {
    return parseArgs({ args: argv, allowPositionals: true, options: OPERATE_OPTIONS });
  } catch (error) {
    throw new RivuletError('RIV_USAGE', (error as Error).message);
  }
}
