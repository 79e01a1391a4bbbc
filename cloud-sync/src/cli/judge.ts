/** `rivulet-cloud judge GATEWAY trust|distrust|auto`: an operator's word over the class-mean test. */
import { parseArgs } from 'node:util';
import { RivuletError } from '@rivulet/host';
import type { OverrideAnswer } from '../operate/override.ts';
import { OPERATE_OPTIONS, operate } from './operate.ts';

const WORDS: Readonly<Record<string, boolean | null>> = { trust: true, distrust: false, auto: null };

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parsed(argv);
  const [gateway, word, ...rest] = positionals;
  const trusted = word === undefined ? undefined : WORDS[word];
  if (gateway === undefined || trusted === undefined || rest.length > 0) {
    throw new RivuletError('RIV_USAGE', `judge takes a gateway and one of ${Object.keys(WORDS).join(', ')}`);
  }
  const answer = await operate<OverrideAnswer>(values.state, { do: 'judge', gateway, trusted });
  const lines = answer.models.map(
    ({ task, in_release }) => `  ${task}: ${in_release ? 'in' : 'not in'} the newest release`,
  );
  const text = [`${gateway}: ${trusted === null ? 'the class-mean test decides' : `${word}ed`}`, ...lines].join('\n');
  process.stdout.write(`${values.json ? JSON.stringify(answer) : text}\n`);
  return 0;
}

function parsed(argv: string[]) {
  try {
    return parseArgs({ args: argv, allowPositionals: true, options: OPERATE_OPTIONS });
  } catch (error) {
    throw new RivuletError('RIV_USAGE', (error as Error).message);
  }
}
