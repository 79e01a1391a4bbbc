import { describe, expect, test } from 'vitest';
import { readCurve, readFleet, readGatewayDetail, readModels, readReleases, WireError } from './wire.ts';

describe('readFleet', () => {
  test('absent_figures_are_null_and_absent_counts_are_zero', () => {
    const fleet = readFleet({ sentence: 'One gateway.', gateways: [{ id: 'a', up: true, tasks: [{ name: 't' }] }] });
    const gateway = fleet.gateways[0];
    expect(fleet.gateways_up).toBe(1);
    expect(fleet.gateways_total).toBe(1);
    expect(gateway?.cpu_us_per_message).toBeNull();
    expect(gateway?.messages_per_s).toBeNull();
    expect(gateway?.ledger.received).toBe(0);
    expect(gateway?.tasks[0]).toMatchObject({ name: 't', error: null, release: null, panel: [] });
  });

  test('a_figure_that_is_not_a_finite_number_is_absent', () => {
    const fleet = readFleet({ gateways: [{ id: 'a', rss_mib: 'many', cpu_us_per_message: null }] });
    expect(fleet.gateways[0]).toMatchObject({ rss_mib: null, cpu_us_per_message: null });
  });

  test('a_release_hash_of_zeros_is_no_release', () => {
    const fleet = readFleet({ gateways: [{ id: 'a', tasks: [{ name: 't', release: '0'.repeat(64) }] }] });
    expect(fleet.gateways[0]?.tasks[0]?.release).toBeNull();
  });

  test('a_body_that_is_no_fleet_is_refused', () => {
    for (const body of [null, [], 'fleet', 7, {}, { gateways: 'all' }]) {
      expect(() => readFleet(body)).toThrow(WireError);
    }
  });
});

test('a_gateway_detail_has_sources_with_their_ledger', () => {
  const detail = readGatewayDetail({
    id: 'a',
    key_fingerprint: 'ff00',
    uptime_s: 5,
    core: { build: 'simd', kernel: 'ab' },
    sources: [{ name: 's', received: 3, used: 3, gaps: 1 }],
  });
  expect(detail).toMatchObject({ uptime_s: 5, core_build: 'simd', key_fingerprint: 'ff00' });
  expect(detail.sources[0]).toMatchObject({ name: 's', gaps: 1, ledger: { received: 3, used: 3, late: 0 } });
});

test('lists_are_read_bare_or_under_their_name', () => {
  expect(readReleases([{ hash: 'ab' }])).toHaveLength(1);
  expect(readReleases({ releases: [{ hash: 'ab' }] })).toHaveLength(1);
  expect(readModels({ models: [{ task: 't', features: ['x'] }] })[0]).toMatchObject({ task: 't', features: ['x'] });
});

test('releases_come_newest_first', () => {
  const releases = readReleases([
    { hash: 'a', created_at: 1 },
    { hash: 'c', created_at: 3 },
    { hash: 'b', created_at: '1970-01-01T00:00:00.002Z' },
  ]);
  expect(releases.map((release) => release.hash)).toEqual(['c', 'b', 'a']);
});

test('curve_points_without_a_time_are_left_out_and_the_rest_rises_in_time', () => {
  const points = readCurve({
    points: [{ gateway: 'a', at: 20 }, { gateway: 'a' }, { gateway: 'a', at: 10, error: 0.5 }],
  });
  expect(points.map((point) => point.at)).toEqual([10, 20]);
});
