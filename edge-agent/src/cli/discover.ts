/** `rivulet discover URL`: listens at a broker and prints a configuration for what is published there. */
import { parseArgs } from 'node:util';
import { loadCore, RivuletError } from '@rivulet/host';
import { describe } from '../discover/describe.ts';
import { listen } from '../discover/listen.ts';

const HELP = `Usage: rivulet discover mqtt://HOST[:PORT] [options]

Listens, recognises publishers, and prints a configuration that \`rivulet run\` takes: topics, keys, fields,
units, times, expected rates; what it could not map is listed with an example.

  --seconds N       how long to listen (default 60)
  --topic FILTER    what to subscribe to (default "#" and "$aws/#"; may be given several times)
  --user NAME       user at the broker
  --password TEXT   password at the broker (or in RIVULET_PASSWORD)`;

const SECONDS_MAX = 86_400;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '60' },
      topic: { type: 'string', multiple: true },
      user: { type: 'string' },
      password: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const [url, ...rest] = positionals;
  if (url === undefined || rest.length > 0 || !/^mqtts?:\/\/./.test(url)) {
    throw new RivuletError('RIV_USAGE', {
      found: positionals.join(' ') || 'no address',
      expected: 'mqtt://HOST[:PORT]',
    });
  }
  const seconds = Number(values.seconds);
  if (!(seconds > 0 && seconds <= SECONDS_MAX)) {
    throw new RivuletError('RIV_USAGE', { found: `--seconds ${values.seconds}`, expected: `up to ${SECONDS_MAX}` });
  }
  console.error(`Listening at ${url} for ${seconds} s …`);
  const core = await loadCore();
  const heard = await listen(url, {
    ...{ seconds, filters: values.topic ?? ['#', '$aws/#'], user: values.user ?? null },
    password: values.password ?? process.env.RIVULET_PASSWORD ?? null,
  });
  const { yaml, mapped, unmapped } = describe(core, heard, { url, nowMs: Date.now() });
  process.stdout.write(yaml);
  console.error(`${mapped} topics have a place, ${unmapped} have none.`);
  return 0;
}
