/**
 * `npm run bench -- decode`: what a message costs in each payload format, beside JSON.parse of the same reading and the format's
 * usual JavaScript library, interleaved in one run. Missed goals are printed as missed.
 */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { loadCore } from '@rivulet/host';
import { describeMachine } from '../machine.ts';
import { CASES } from './cases.ts';
import { type Figures, lastValue, measure } from './measure.ts';

const HELP = `Usage: npm run bench -- decode [options]

  --json          one JSON document on standard output (the table goes to standard error)
  --rounds N      rounds of 10,000 messages per case (default 15)
  --case PATTERN  only cases whose name holds this text
  --core WHICH    scalar or simd (default simd)`;

/** A message costs a fifth of what it costs in JavaScript (issue: Speed). */
const GOAL = 5;

export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      json: { type: 'boolean' },
      rounds: { type: 'string', default: '15' },
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
  say(
    `${'format'.padEnd(24)}${['bytes', 'core', 'unread', 'JSON.parse', 'library'].map((name) => name.padStart(11)).join('')}  times cheaper`,
  );
  const figures: Figures[] = [];
  for (const one of CASES.filter(({ name }) => name.includes(values.case))) {
    const found = measure(core, one, Number(values.rounds));
    figures.push(found);
    say(line(found));
  }
  if (values.json) {
    console.log(
      JSON.stringify({ bench: 'decode', machine, core: values.core, goal: GOAL, last: lastValue(), figures }),
    );
  }
  return 0;
}

function line(found: Figures): string {
  const { core_ns, frame_and_route_ns, json_parse_ns, library, library_ns, times_cheaper } = found;
  const numbers = [found.payload_bytes, core_ns, frame_and_route_ns, json_parse_ns, library_ns ?? Number.NaN];
  const shown = numbers.map((ns) => (Number.isNaN(ns) ? '-' : Math.round(ns).toString()).padStart(11)).join('');
  const verdict = times_cheaper >= GOAL ? 'met' : `missed (goal ${GOAL})`;
  const alone = found.times_cheaper_decode_alone.toFixed(1);
  return `${found.case.padEnd(24)}${shown}  ${times_cheaper.toFixed(1)} than ${library ?? 'JSON.parse'}, ${verdict}; decoding alone ${alone}`;
}
