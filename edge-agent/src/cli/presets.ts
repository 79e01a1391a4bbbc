/** `rivulet presets [NAME]`: the presets there are, and the plain sources that one of them stands for, as YAML. */
import { parseArgs } from 'node:util';
import { expandPreset, nearestName, PRESETS, parseConfig, RivuletError, sourcesAsYaml } from '@rivulet/host';

const HELP = `Usage: rivulet presets
       rivulet presets NAME [options]

  without NAME   the presets there are
  with NAME      the plain sources that \`preset: NAME\` stands for, ready to be pasted and changed

  --base LEVELS  topic levels in front, instead of the publisher's default
  --tags A,B     tags in the key, beside the host (telegraf_json)
  --zone ZONE    zone of times that name none, such as Europe/Berlin or +01:00
  --name NAME    name of the sources`;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      base: { type: 'string' },
      tags: { type: 'string' },
      zone: { type: 'string' },
      name: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const [preset, ...rest] = positionals;
  if (rest.length > 0) {
    throw new RivuletError('RIV_USAGE', { found: positionals.join(' '), expected: 'at most one preset' });
  }
  if (preset === undefined) {
    for (const [name, { about, base }] of Object.entries(PRESETS)) {
      console.log(`${name.padEnd(20)}${about}${base === '' ? '' : ` (base ${base})`}`);
    }
    return 0;
  }
  if (!Object.hasOwn(PRESETS, preset)) {
    const near = nearestName(preset, Object.keys(PRESETS));
    const expected = near === null ? `one of ${Object.keys(PRESETS).join(', ')}` : `${near} perhaps`;
    throw new RivuletError('RIV_USAGE', { found: `there is no preset ${JSON.stringify(preset)}`, expected });
  }
  const { base = null, zone = null, name = preset } = values;
  const tags = values.tags?.split(',') ?? [];
  const text = sourcesAsYaml(expandPreset(preset, { name, base, zone, tags }));
  parseConfig(text, `the preset ${preset}`);
  process.stdout.write(text);
  return 0;
}
