/**
 * `npm run bench -- decode`: what a message costs in each payload format, beside JSON.parse of the same reading and the format's
 * usual JavaScript library, interleaved in one run. Missed goals are printed as missed.
 */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { loadCore } from '@rivulet/host';
import { describeMachine } from '../machine.ts';
import { CASES, taken } from './cases.ts';
import { type Figures, GOAL, measure } from './measure.ts';

const HELP = `Usage: npm run bench -- decode [options]

  --json          one JSON document on standard output (the table goes to standard error)
  --rounds N      rounds of 10,000 messages per case (default 21)
  --case PATTERN  only cases whose name holds this text
  --core WHICH    scalar or simd (default simd)`;

export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      json: { type: 'boolean' },
      rounds: { type: 'string', default: '21' },
      case: { type: 'string', default: '' },
      core: { type: 'string', default: 'simd' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const say = values.json ? console.error : console.log;
  const core = await loadCore({ build: values.core === 'scalar' ? 'scalar' : 'simd' });
  const machine = await describeMachine(tmpdir());
  say(
    `${machine.cpu}, load ${machine.load_1m.toFixed(1)}, Node ${machine.node}, core ${values.core}; ns of CPU per message, medians`,
  );
  say(header());
  const figures: Figures[] = [];
  for (const one of CASES.filter(({ name }) => name.includes(values.case))) {
    const found = await measure(core, one, Number(values.rounds));
    figures.push(found);
    say(line(found));
  }
  if (values.json) {
    console.log(JSON.stringify({ bench: 'decode', machine, core: values.core, goal: GOAL, figures, taken }));
  }
  return 0;
}

const COLUMNS = ['bytes', 'decode', 'quartiles', 'library', 'cheaper', 'whole fold', 'unread', 'JSON.parse'];

function header(): string {
  return `${'format'.padEnd(22)}${COLUMNS.map((name) => name.padStart(11)).join('')}`;
}

function line(found: Figures): string {
  const { ns_per_message, library_ns, fold_ns, unread_ns, json_parse_ns } = found;
  const ns = (count: number): string => Math.round(count).toString();
  const quartiles = found.ns_quartiles.map(ns).join('–');
  const cells = [ns(found.payload_bytes), ns(ns_per_message), quartiles, ns(library_ns), `${found.ratio.toFixed(1)} ×`];
  const more = [ns(fold_ns), ns(unread_ns), ns(json_parse_ns)];
  const verdict = found.met ? 'met' : `missed (goal ${GOAL})`;
  const shown = [...cells, ...more].map((cell) => cell.padStart(11)).join('');
  return `${found.format.padEnd(22)}${shown}  ${verdict} against ${found.library}; whole fold ${found.fold_ratio.toFixed(1)} ×`;
}
