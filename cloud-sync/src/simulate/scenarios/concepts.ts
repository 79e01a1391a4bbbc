/**
 * Streams of two features (SEA: three) whose concept changes at a different time on each gateway, after "FedDrift"
 * (Jothimurugesan et al. 2023) and SEA (Street & Kim 2001). After each tick the panel, frozen, is scored on the rows of
 * the next one, before it learns them row by row.
 */
import { type Random, randomFrom } from '../random.ts';
import type { Row, Scenario, SiteRows } from '../scenario.ts';

const ROWS_PER_TICK = 500;

interface World {
  readonly features: number;
  /** Class of a row under a concept. */
  label(x: Float64Array, concept: number): boolean;
  readonly concepts: number;
  /** A label is turned over with this probability. */
  readonly noise: number;
}

const WORLDS = {
  'sine-2': {
    features: 2,
    concepts: 2,
    noise: 0.02,
    label: (x, concept) => (x[1] as number) <= Math.sin(x[0] as number) === (concept === 0),
  },
  'circle-2': {
    features: 2,
    concepts: 2,
    noise: 0.02,
    label: (x, concept) => {
      const [centre, radius] = concept === 0 ? [0.2, 0.15] : [0.6, 0.25];
      return Math.hypot((x[0] as number) - centre, (x[1] as number) - 0.5) > radius;
    },
  },
  sea: {
    features: 3,
    concepts: 4,
    noise: 0.1,
    label: (x, concept) => 10 * ((x[0] as number) + (x[1] as number)) <= ([9, 8, 7, 9.5][concept] as number),
  },
} satisfies Record<string, World>;

export type ConceptName = keyof typeof WORLDS;

export function concepts(name: ConceptName, gateways: number, ticks: number, seed: number): Scenario {
  const world: World = WORLDS[name];
  const sites = Array.from({ length: gateways }, (_, at): SiteRows => {
    const random = randomFrom(seed, name, at);
    // Each gateway changes in ticks of its own: with two concepts once, or there and back.
    const count = world.concepts > 2 ? world.concepts - 1 : 1 + random.below(2);
    const changes = new Set(Array.from({ length: count }, () => 1 + random.below(ticks - 1)));
    const concept = (tick: number) => [...changes].filter((change) => tick >= change).length % world.concepts;
    const rows = (tick: number) => draw(randomFrom(seed, name, at, tick), world, concept(tick));
    return {
      id: `gateway-${String(at).padStart(4, '0')}`,
      from: 0,
      train: rows,
      test: (tick) => (tick + 1 < ticks ? rows(tick + 1) : []),
    };
  });
  return {
    name,
    about: `${world.concepts} concepts, each gateway changes in its own time`,
    fields: Array.from({ length: world.features }, (_, j) => `f${j}`),
    task: { kind: 'classify', labels: ['no', 'yes'] },
    rowMs: 1_000,
    ticks,
    tickMs: 3_600_000,
    sites,
  };
}

function draw(random: Random, world: World, concept: number): Row[] {
  return Array.from({ length: ROWS_PER_TICK }, () => {
    const x = Float64Array.from({ length: world.features }, () => random.uniform());
    const label = world.label(x, concept) !== random.chance(world.noise);
    return { x, label: label ? 'yes' : 'no' };
  });
}
