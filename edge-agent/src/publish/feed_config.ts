/**
 * The configuration of a gateway that learns from a feed, as the YAML a user would write: what `--print-config` prints. A
 * feed says what its messages look like and what can be learned from them; where the gateway keeps its state, listens and
 * syncs is the user's.
 */

/** What a feed knows about its messages, in the words of the configuration. Scalars and lists are written as flow YAML. */
export interface FeedConfig {
  about: string;
  simulated: boolean;
  sources: Record<string, unknown>[];
  windows: Record<string, unknown>[];
  tasks: Record<string, unknown>[];
  /** Remarks on what was guessed or left out; comments at the top. */
  notes: string[];
}

/** What the user says about the gateway. */
export interface GatewayPlace {
  gateway: string;
  /** Port of the embedded broker. */
  broker: number;
  state: string | undefined;
  sync: string | undefined;
  /** Time between two deltas, such as `5s`. */
  syncEvery: string | undefined;
}

/** The configuration as YAML. */
export function configText(feed: FeedConfig, place: GatewayPlace): string {
  const lines = [...feed.notes.map((note) => `# ${note}`), `gateway: ${flow(place.gateway)}`];
  lines.push(`about: ${flow(feed.about)}`);
  if (feed.simulated) lines.push('simulated: true');
  if (place.state !== undefined) lines.push(`state: ${flow(place.state)}`);
  lines.push(`broker: { listen: ${place.broker} }`);
  lines.push(...list('sources', feed.sources));
  lines.push(...list('windows', feed.windows));
  lines.push(...list('tasks', feed.tasks));
  if (place.sync !== undefined) {
    const every = place.syncEvery === undefined ? '' : `, every: ${flow(place.syncEvery)}`;
    lines.push(`sync: { url: ${flow(place.sync)}${every} }`);
  }
  return `${lines.join('\n')}\n`;
}

function list(name: string, entries: readonly Record<string, unknown>[]): string[] {
  if (entries.length === 0) return [];
  const items = entries.flatMap((entry) =>
    Object.entries(entry).map(([key, value], index) => `  ${index === 0 ? '-' : ' '} ${key}: ${flow(value)}`),
  );
  return [`${name}:`, ...items];
}

/** A value in YAML's flow style: JSON, but for words and units that need no quotes. */
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{ ${Object.entries(value)
      .map(([key, inner]) => `${flow(key)}: ${flow(inner)}`)
      .join(', ')} }`;
  }
  return typeof value === 'string' && isPlain(value) ? value : JSON.stringify(value);
}

/** Text that YAML reads as the same text without quotes. */
function isPlain(text: string): boolean {
  const reserved = /^(true|false|null|yes|no|on|off|y|n)$/i;
  return (/^[A-Za-z][\w./-]*$/.test(text) || /^\d+(ms|s|m|h|d)$/.test(text)) && !reserved.test(text);
}
