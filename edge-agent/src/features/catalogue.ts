/**
 * Which features there are and where they come from: a configuration's named sets and the features of its tasks. The
 * content hash of a set names all that its values depend on: the features in order, and the windows, tables and derived
 * fields behind them.
 */
import { type Config, type FeatureParts, featureParts, inWords, sha256 } from '@rivulet/host';

export interface CatalogueEntry {
  feature: string;
  meaning: string;
  unit: string;
  description: string;
}

export interface CatalogueSet {
  name: string;
  /** Of a task's own features: its name. */
  owner: string;
  description: string;
  hash: string;
  features: CatalogueEntry[];
  /** Tasks that have all or some of them. */
  tasks: string[];
}

/**
 * Named sets first, then of each task what it names beside them.
 * @param settled features of automatic tasks, by the task's name
 */
export function catalogue(config: Config, settled: ReadonlyMap<string, readonly string[]> = new Map()): CatalogueSet[] {
  const sets = config.featureSets.map((set): CatalogueSet => {
    const users = config.tasks.filter((task) => task.featureSets.includes(set.name));
    return {
      ...{ name: set.name, owner: set.owner, description: set.description },
      hash: contentHash(
        config,
        set.features.map(({ name }) => name),
      ),
      features: set.features.map(({ name, unit, description }) => entry(config, name, unit, description)),
      tasks: users.map(({ name }) => name),
    };
  });
  const own = config.tasks.map((task): CatalogueSet => {
    const named = config.featureSets.filter(({ name }) => task.featureSets.includes(name));
    const inSets = new Set(named.flatMap(({ features }) => features.map(({ name }) => name)));
    const all = task.features.length > 0 ? task.features : (settled.get(task.name) ?? []);
    const features = all.filter((name) => !inSets.has(name));
    const description = task.features.length > 0 ? '' : all.length > 0 ? 'automatic' : 'automatic: not settled yet';
    return {
      ...{ name: task.name, owner: '', description, tasks: [task.name] },
      hash: all.length > 0 ? contentHash(config, all) : '',
      features: features.map((name) => entry(config, name, '', '')),
    };
  });
  return [...sets, ...own.filter(({ features, description }) => features.length > 0 || description !== '')];
}

function entry(config: Config, feature: string, unit: string, description: string): CatalogueEntry {
  const parts = featureParts(feature, config);
  return { feature, meaning: 'unknown' in parts ? '' : inWords(parts), unit, description };
}

/** SHA-256 of the features in order and of what their names refer to. */
export function contentHash(config: Config, features: readonly string[]): string {
  const parts = features.map((name) => featureParts(name, config));
  const windows = config.windows.filter(({ name }) =>
    parts.some((part) => isOf(part, 'window') && part.window === name),
  );
  const lookups = config.lookups.filter(({ name }) =>
    parts.some((part) => isOf(part, 'lookup') && part.lookup === name),
  );
  const fields = new Set(parts.map((part) => ('field' in part ? part.field : '')));
  const derived = config.sources.flatMap((source) => source.derived.filter(({ name }) => fields.has(name)));
  return sha256(Buffer.from(JSON.stringify({ features, windows, lookups, derived }))).toString('hex');
}

function isOf<Kind extends FeatureParts['kind']>(
  parts: FeatureParts | { unknown: string },
  kind: Kind,
): parts is Extract<FeatureParts, { kind: Kind }> {
  return 'kind' in parts && parts.kind === kind;
}

/** Where a task's features come from: edges from sources over fields and windows to features, sets and the task. */
export interface Graph {
  nodes: {
    id: string;
    label: string;
    kind: 'source' | 'field' | 'window' | 'lookup' | 'time' | 'feature' | 'set' | 'task';
  }[];
  edges: [string, string][];
}

/** @param features what each task has, by its name: named in the configuration, or as it was settled */
export function lineage(config: Config, features: ReadonlyMap<string, readonly string[]>): Graph {
  const nodes = new Map<string, Graph['nodes'][number]>();
  const edges = new Map<string, [string, string]>();
  const node = (kind: Graph['nodes'][number]['kind'], label: string): string => {
    const id = `${kind} ${label}`;
    nodes.set(id, { id, label, kind });
    return id;
  };
  const edge = (from: string, to: string): void => void edges.set(`${from}\n${to}`, [from, to]);
  const field = (name: string): string => {
    const id = node('field', name);
    for (const source of config.sources) {
      const derived = source.derived.find((other) => other.name === name);
      const written = source.fields.some((other) => other.name === name || other.name.includes('{'));
      if (derived !== undefined || written) {
        edge(node('source', source.name), id);
      }
    }
    return id;
  };
  for (const { name: task } of config.tasks) {
    const sets = config.featureSets.filter((set) =>
      config.tasks.find(({ name }) => name === task)?.featureSets.includes(set.name),
    );
    for (const feature of features.get(task) ?? []) {
      const id = node('feature', feature);
      const parts = featureParts(feature, config);
      if (isOf(parts, 'window')) {
        const window = node('window', parts.window);
        edge(field(parts.field), window);
        edge(window, id);
      } else if (isOf(parts, 'lookup')) {
        edge(node('lookup', parts.lookup), id);
      } else if (isOf(parts, 'time')) {
        edge(node('time', 'event time'), id);
      } else if ('field' in parts) {
        edge(field(parts.field), id);
      }
      const of = sets.filter((set) => set.features.some(({ name }) => name === feature));
      for (const set of of) {
        edge(id, node('set', set.name));
        edge(node('set', set.name), node('task', task));
      }
      if (of.length === 0) {
        edge(id, node('task', task));
      }
    }
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()] };
}

/** The graph for Graphviz. */
export function asDot({ nodes, edges }: Graph): string {
  const shapes = { source: 'cylinder', task: 'doubleoctagon', feature: 'ellipse', set: 'folder' } as Record<
    string,
    string
  >;
  const lines = nodes.map(
    ({ id, label, kind }) => `  ${quoted(id)} [label=${quoted(label)}, shape=${shapes[kind] ?? 'box'}];`,
  );
  return [
    'digraph features {',
    '  rankdir=LR;',
    ...lines,
    ...edges.map(([from, to]) => `  ${quoted(from)} -> ${quoted(to)};`),
    '}',
  ].join('\n');
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** The graph for Mermaid. */
export function asMermaid({ nodes, edges }: Graph): string {
  const ids = new Map(nodes.map(({ id }, index) => [id, `n${index}`]));
  const label = (text: string): string => `"${text.replaceAll('"', '#quot;')}"`;
  const shape = (kind: string, text: string): string =>
    kind === 'task' ? `([${label(text)}])` : kind === 'source' ? `[(${label(text)})]` : `[${label(text)}]`;
  const lines = nodes.map((node) => `  ${ids.get(node.id)}${shape(node.kind, node.label)}`);
  return ['flowchart LR', ...lines, ...edges.map(([from, to]) => `  ${ids.get(from)} --> ${ids.get(to)}`)].join('\n');
}

/** The graph as an indented list: each task with what leads to it. */
export function asText({ nodes, edges }: Graph): string {
  const lines: string[] = [];
  const kinds = new Map(nodes.map((node) => [node.id, node]));
  const walk = (id: string, depth: number): void => {
    const { kind, label } = kinds.get(id) as Graph['nodes'][number];
    lines.push(`${'  '.repeat(depth)}${kind} ${label}`);
    for (const [from] of edges.filter(([, to]) => to === id)) {
      walk(from, depth + 1);
    }
  };
  for (const { id } of nodes.filter(({ kind }) => kind === 'task')) {
    walk(id, 0);
  }
  return lines.join('\n');
}
