import { expect, it } from 'vitest';
import { numpyGaussians } from './numpy_random.ts';

it('gives the numbers that numpy.random.seed and numpy.random.normal are known for', () => {
  const next = numpyGaussians(0);
  for (const known of [1.764052345967664, 0.4001572083672233, 0.9787379841057392, 2.240893199201458]) {
    expect(next()).toBeCloseTo(known, 14);
  }
  expect(numpyGaussians(42)()).toBeCloseTo(0.4967141530112327, 14);
});
