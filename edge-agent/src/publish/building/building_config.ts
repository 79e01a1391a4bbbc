/** What a gateway can learn from the simulated building. */
import type { FeedConfig } from '../feed_config.ts';

/** Sources, windows and tasks for the messages of {@link createBuilding}; event time is simulated, so no clock skew is checked. */
export function buildingConfig(seed: number): FeedConfig {
  return {
    about: `simulated building, seed ${seed}`,
    simulated: true,
    notes: ['A simulated building: five rooms, their sensors, and whether somebody is in (known minutes later).'],
    sources: [
      {
        name: 'building',
        topic: 'building/{room}/{sensor}',
        key: '{room}',
        fields: { '{sensor}': 'value' },
        time: 'ts',
        seq: 'seq',
        lateness: '5m',
        clock_skew_max: 0,
        idle: '10m',
      },
    ],
    windows: [
      {
        name: 'room_20m',
        every: '20m',
        of: ['temperature', 'heating', 'co2'],
        stats: ['mean', 'min', 'max', 'count'],
        lateness: '5m',
      },
    ],
    tasks: [
      { name: 'temp_in_30m', forecast: 'temperature', horizon: '30m', every: '4m', tolerance: '10m' },
      {
        name: 'occupied',
        classify: { topic: 'labels/{room}/occupied', path: 'value', time: 'ts' },
        every: '2m',
        tolerance: '5m',
        wait: '1h',
      },
    ],
  };
}
