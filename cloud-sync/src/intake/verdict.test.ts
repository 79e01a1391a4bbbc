import { describe, expect, it } from 'vitest';
import { type DeltaFacts, verdictOn } from './verdict.ts';

const FACTS: DeltaFacts = {
  standing: 'newest',
  seq: 7,
  cloned: false,
  kernel: 'aa',
  kernelKnown: true,
  task: 't',
  taskKnown: true,
  schemaProblem: null,
  modelKnown: true,
  models: 3,
  modelsMax: 64,
  ownModel: true,
  ownModels: 2,
  ownModelsMax: 8,
  incarnationKnown: true,
  incarnations: 1,
  incarnationsMax: 10,
};

describe('the verdict on a delta', () => {
  const cases: [string, Partial<DeltaFacts>, string][] = [
    ['merges what is new', {}, 'merge'],
    ['merges the first of a new model', { modelKnown: false }, 'merge'],
    ['answers a repeat as before', { standing: 'duplicate' }, 'duplicate'],
    [
      'answers a repeat as before even when its schema is bad',
      { standing: 'duplicate', schemaProblem: 'x' },
      'duplicate',
    ],
    ['leaves what is older', { standing: 'superseded' }, 'superseded'],
    ['quarantines a number used twice', { standing: 'conflict' }, 'quarantine'],
    ['quarantines an unknown schema', { schemaProblem: 'unknown kind' }, 'quarantine'],
    ['quarantines what a core made that nobody knows', { kernelKnown: false }, 'quarantine'],
    ['quarantines a task that is not taken', { taskKnown: false }, 'quarantine'],
    ['takes no more models than it can hold', { modelKnown: false, models: 64 }, 'quarantine'],
    ['goes on with the models it has when it is full', { models: 64 }, 'merge'],
    ['lets no gateway have a part in endless models', { ownModel: false, ownModels: 8 }, 'quarantine'],
    ['goes on with the models that a gateway has', { ownModels: 8 }, 'merge'],
    ['takes no endless row of incarnations', { incarnationKnown: false, incarnations: 10 }, 'quarantine'],
  ];
  it.each(cases)('%s', (_, facts, kind) => expect(verdictOn({ ...FACTS, ...facts }).kind).toBe(kind));
});
