/** A gateway's configuration file, with the sources that were announced to the gateway of its state directory. */
import { readFile } from 'node:fs/promises';
import { type Announcing, type Config, parseConfig, RivuletError } from '@rivulet/host';
import { readAnnounced } from './announced.ts';

/** A configuration, and how it reads when something else is announced. */
export interface ConfigFile {
  config: Config;
  /** With sources for what is announced; what else it says stays. */
  announced(topics: readonly Announcing[]): Config;
}

/**
 * Reads a configuration.
 * @param state stands for the state directory that the file names
 * @param environment where `{ env: NAME }` is looked up; null: secrets are not
 * @throws RIV_CONFIG_…
 */
export async function readConfigFile(
  path: string,
  { state, environment = null }: { state?: string | undefined; environment?: NodeJS.ProcessEnv | null } = {},
): Promise<ConfigFile> {
  const text = await readText(path);
  const announced = (topics: readonly Announcing[]): Config => {
    const config = parseConfig(text, path, environment, topics);
    return state === undefined ? config : { ...config, state };
  };
  const plain = announced([]);
  const announces = plain.sources.some((source) => source.announces !== null);
  return { config: announces ? announced(await readAnnounced(plain.state)) : plain, announced };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const found = `cannot read the configuration (${(cause as NodeJS.ErrnoException).code})`;
    throw new RivuletError('RIV_CONFIG_UNREADABLE', { found, where: path, cause });
  }
}
