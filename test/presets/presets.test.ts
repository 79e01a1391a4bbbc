/** Presets against what their publishers really send, and against their own plain form. */
import { compilePlan, expandPreset, PRESETS, parseConfig } from '@rivulet/host';
import { describe, expect, it } from 'vitest';
import { ARRIVAL_MS, foldMessages } from '../support/fold.ts';
import { vectors } from './vectors.ts';

const VECTORS = vectors(ARRIVAL_MS);

const source = (preset: string, options = ''): string => `  - { preset: ${preset}${options && `, ${options}`} }`;

describe('presets', () => {
  it.each(VECTORS.map((vector) => ({ ...vector, name: `${vector.preset}: ${vector.about}` })))(
    '$name',
    ({ preset, options, topic, payload, gives }) => {
      const { readings, sources } = foldMessages(source(preset, options), [{ topic, payload }]);
      const quarantined = sources.reduce((sum, { quarantined }) => sum + quarantined, 0);
      expect(quarantined).toBe(0);
      const own = readings.filter(({ key }) => gives === null || key === gives.key);
      expect(Object.fromEntries(own.map(({ field, value }) => [field, value]))).toEqual(gives?.fields ?? {});
      expect(new Set(own.map(({ at }) => at))).toEqual(new Set(gives === null ? [] : [gives.at]));
    },
  );

  it('every_preset_has_a_vector_that_it_reads', () => {
    const read = new Set(VECTORS.filter(({ gives }) => gives !== null).map(({ preset }) => preset));
    // What home_assistant reads is announced first: test/e2e/home_assistant.test.ts.
    const fixed = Object.keys(PRESETS).filter((preset) => preset !== 'home_assistant');
    expect([...read].sort()).toEqual(fixed.sort());
  });

  it('telegraf_gives_a_key_per_measurement_and_tags', () => {
    const vector = VECTORS.find(({ preset }) => preset === 'telegraf');
    const { readings } = foldMessages(source('telegraf'), vector === undefined ? [] : [vector]);
    expect(new Set(readings.map(({ key }) => key)).size).toBe(2);
  });

  it('an_uplink_that_the_network_sends_again_counts_once', () => {
    const uplinks = VECTORS.filter(({ preset, gives }) => preset === 'chirpstack' && gives !== null);
    const { sources } = foldMessages(source('chirpstack'), [...uplinks, ...uplinks]);
    expect(sources[0]).toMatchObject({ used: 2, duplicate: 2 });
  });

  it.each(Object.keys(PRESETS))('%s written out is the same plan', (preset) => {
    const plan = (sources: string): string =>
      compilePlan(parseConfig(`gateway: g\nsources: ${sources}`, 'x')).toString();
    const plain = expandPreset(preset, { name: 'n', base: 'a/b', zone: '+02:00', tags: [] });
    expect(plan(`[{ preset: ${preset}, name: n, base: a/b, zone: "+02:00" }]`)).toBe(plan(JSON.stringify(plain)));
  });
});
