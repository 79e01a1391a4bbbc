/**
 * `rivulet replay STATE_DIR`: folds the log again from its start, plans included, and prints the digest of the
 * state: it equals the running agent's. It only reads, so it works beside a live agent, up to what is durable.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Core, decodePlanPayload, loadCore, openLogReader, RivuletError, sha256 } from '@rivulet/host';
import { firstPlan, foldLog, planIn } from '../fold.ts';
import { readSetAside } from '../set_aside.ts';
import { coreBuild } from './run.ts';

const HELP = `Usage: rivulet replay STATE_DIR [options]

  --json        print one JSON object {messages, digest}
  --core WHICH  auto, scalar or simd (default auto)`;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      json: { type: 'boolean' },
      core: { type: 'string', default: 'auto' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const [directory, ...rest] = positionals;
  if (directory === undefined || rest.length > 0) {
    throw new RivuletError('RIV_USAGE', { found: `${positionals.length} directories`, expected: 'one STATE_DIR' });
  }
  const core = await loadCore({ build: coreBuild(values.core) });
  const { messages, digest, kernelIsSame } = await replay(directory, core);
  if (!kernelIsSame) {
    console.error('The log was last folded by another core: its digest may differ from the one of then.');
  }
  console.log(values.json ? JSON.stringify({ messages, digest }) : `${messages} messages, digest ${digest}`);
  return 0;
}

/** @throws RIV_LOG_GONE when the log no longer reaches back to its start */
async function replay(directory: string, core: Core) {
  const log = await openLogReader(join(directory, 'log'));
  try {
    if (log.oldestSequence > 0) {
      throw new RivuletError('RIV_LOG_GONE', {
        found: `the log begins at block ${log.oldestSequence}: what came before is no longer kept`,
        expected: 'a log from its start (raise `log.keep`)',
        where: directory,
      });
    }
    const { plan } = await firstPlan(log);
    const setAside = await readSetAside(join(directory, 'quarantine'));
    let kernelIsSame = true;
    const engine = await foldLog({
      ...{ core, log, setAside, start: { plan } },
      folded(_, blocks) {
        const payload = planIn(blocks);
        if (payload !== null) {
          kernelIsSame = core.kernelHash.equals(decodePlanPayload(payload).kernelHash);
        }
      },
    });
    const digest = sha256(engine.checkpoint()).toString('hex');
    return { messages: engine.report().messages, digest, kernelIsSame };
  } finally {
    await log.close();
  }
}
