import type { Config, Output } from '@rivulet/host';
import sparkplugPayload from 'sparkplug-payload';
import { describe, expect, it } from 'vitest';
import { createDocumenter } from './document.ts';
import { createPublisher } from './publisher.ts';
import { fillTopic, topicLevel } from './topic.ts';

const config = {
  gateway: 'plant-7',
  forward: [{ topic: 'site/{gateway}/{key}/{field}', qos: 0, retain: true, unit: '°C', deviceClass: 'temperature' }],
  homeAssistant: null,
  outputs: [
    { what: 'predictions', of: '*', topic: 'rivulet/{gateway}/{task}/{key}' },
    { what: 'windows', of: 'room_5m', topic: 'rivulet/{gateway}/windows/{window}/{key}/{field}' },
  ],
  tasks: [{ name: 'temp_in_30m' }, { name: 'occupied', kind: 'classification' }],
  windows: [{ name: 'room_5m', stats: ['mean', 'top_1', 'count', 'std'] }],
} as unknown as Config;

const prediction: Output = {
  kind: 'prediction',
  subject: 0,
  offset: 12,
  ordinal: 0,
  id: '12-0',
  key: 'r/1',
  at: 1000,
  horizonMs: 500,
  value: 21.5,
  low: 21,
  high: 22,
  error: Number.NaN,
  errorLastValue: 0.5,
  class: '',
  release: null,
};

const sparkplug = sparkplugPayload.get('spBv1.0') as NonNullable<ReturnType<typeof sparkplugPayload.get>>;

describe('topics of outputs', () => {
  it('keep hostile names from being wildcards, levels or control characters', () => {
    expect(topicLevel('a/+/#\u0000\ud800')).toBe('a____' + '__');
    expect(topicLevel('')).toBe('_');
    expect(topicLevel('x'.repeat(1000)).length).toBe(256);
    expect(fillTopic('{key}/x', { key: '$SYS' })).toBe('_SYS/x');
    expect(fillTopic('a/{key}/{nobody}/{constructor}', { key: 'r1' })).toBe('a/r1/_/_');
  });
});

describe('documents of outputs', () => {
  it('say a prediction with its interval, error so far, release and id', () => {
    const [message] = createDocumenter(config).messages(prediction);
    expect(message?.topic).toBe('rivulet/plant-7/temp_in_30m/r_1');
    expect(JSON.parse(String(message?.payload))).toEqual({
      task: 'temp_in_30m',
      key: 'r/1',
      at: 1000,
      horizon: 500,
      value: 21.5,
      low: 21,
      high: 22,
      error: null,
      error_last_value: 0.5,
      release: null,
      id: '12-0',
    });
  });

  it('say a drift with its evidence, where it is to be seen', () => {
    const drift: Output = {
      ...{ kind: 'drift', subject: 0, offset: 9, ordinal: 2, id: '9-2', key: 'r/1', of: 'feature', feature: 'co2' },
      ...{ detector: 'adwin', at: 5, before: 1, after: 2, rows: 300, batch: 4, alert: true, sync: false },
    };
    const outputs = [...config.outputs, { what: 'drift', of: '*', topic: 'rivulet/{gateway}/drift/{task}' }];
    const documenter = createDocumenter({ ...config, outputs } as Config);
    const [message] = documenter.messages(drift);
    expect(message?.topic).toBe('rivulet/plant-7/drift/temp_in_30m');
    expect(JSON.parse(String(message?.payload))).toEqual({
      ...{ task: 'temp_in_30m', of: 'feature', feature: 'co2', key: 'r/1', at: 5, before: 1, after: 2 },
      ...{ detector: 'adwin', rows: 300, batch: 4, id: '9-2' },
    });
    expect(documenter.messages({ ...drift, alert: false })).toEqual([]);
    expect(createDocumenter(config).messages(drift)).toEqual([]);
  });

  it('ask a Sparkplug node for its birth', () => {
    const rebirth: Output = {
      ...{ kind: 'rebirth', subject: 0, offset: 3, ordinal: 1, id: '3-1', topic: 'spBv1.0/g/NCMD/n' },
      at: 1_781_524_795_123,
    };
    const [message] = createDocumenter(config).messages(rebirth);
    expect(message?.topic).toBe('spBv1.0/g/NCMD/n');
    const { timestamp, metrics } = sparkplug.decodePayload(message?.payload as Buffer);
    expect([Number(timestamp), metrics?.length]).toEqual([1_781_524_795_123, 1]);
    expect(metrics?.[0]).toMatchObject({ name: 'Node Control/Rebirth', type: 'Boolean', value: true });
  });

  it('say a class and its probability for a classification', () => {
    const [message] = createDocumenter(config).messages({ ...prediction, subject: 1, class: 'on', value: 0.9 });
    expect(JSON.parse(String(message?.payload))).toMatchObject({ task: 'occupied', class: 'on', probability: 0.9 });
  });

  it('give a window the statistics it was asked for', () => {
    const window: Output = {
      ...{ kind: 'window', subject: 0, offset: 3, ordinal: 1, id: '3-1', key: 'k', field: 'co2', start: 0, end: 300 },
      ...{ count: 2, revision: 0, final: true, values: [2, 2, Number.NaN], lists: [[[3, 1]]] },
    } as Output;
    const [message] = createDocumenter(config).messages(window);
    expect(message?.topic).toBe('rivulet/plant-7/windows/room_5m/k/co2');
    expect(JSON.parse(String(message?.payload))).toEqual({
      ...{
        window: 'room_5m',
        key: 'k',
        field: 'co2',
        start: 0,
        end: 300,
        count: 2,
        mean: 2,
        top_1: [[3, 1]],
        std: null,
      },
      ...{ revision: 0, final: true, id: '3-1' },
    });
  });

  it('say which window a late reading was too late for', () => {
    const late = { ...config, outputs: [{ what: 'late', of: '*', topic: 'late/{window}/{key}/{field}' }] } as Config;
    const output: Output = {
      ...{ kind: 'late', subject: 0, offset: 3, ordinal: 0, id: '3-0', key: 'k', field: 'co2' },
      ...{ time: 1, value: 2, watermark: 3 },
    } as Output;
    const [message] = createDocumenter(late).messages(output);
    expect(message?.topic).toBe('late/room_5m/k/co2');
    expect(JSON.parse(String(message?.payload))).toEqual({
      ...{ window: 'room_5m', key: 'k', field: 'co2', time: 1, value: 2, watermark: 3, id: '3-0' },
    });
    const [ofNone] = createDocumenter(late).messages({ ...output, subject: 65_535 });
    expect(JSON.parse(String(ofNone?.payload))).toMatchObject({ window: null });
    expect(createDocumenter(config).wants('late', 0)).toBe(false);
  });

  it('go where the configuration says, and nowhere when it names other tasks', () => {
    expect(createDocumenter(config).wants('alarm', 0)).toBe(false);
    expect(createDocumenter(config).wants('window', 0)).toBe(true);
    const only = { ...config, outputs: [{ what: 'predictions', of: 'occupied', topic: 'x/{key}' }] } as Config;
    expect(createDocumenter(only).messages(prediction)).toEqual([]);
    expect(createDocumenter(only).messages({ ...prediction, subject: 1, class: 'on' })[0]?.topic).toBe('x/r_1');
  });
});

describe('forwarded readings', () => {
  const reading: Output = {
    ...{ kind: 'forward', subject: 0, offset: 7, ordinal: 2, id: '7-2', key: 'r/1', field: 'temp', time: 5, value: 21 },
  };

  it('leave with unit and id, delivered as their rule says', () => {
    const [message, ...rest] = createDocumenter(config).messages(reading);
    expect(rest).toEqual([]);
    expect(message).toMatchObject({ topic: 'site/plant-7/r_1/temp', qos: 0, retain: true });
    expect(JSON.parse(String(message?.payload))).toEqual({
      ...{ key: 'r/1', field: 'temp', at: 5, value: 21, unit: '°C', id: '7-2' },
    });
  });

  it('are announced to Home Assistant once, before the first value, and predictions too', () => {
    const documenter = createDocumenter({ ...config, homeAssistant: { prefix: 'ha' } });
    const [announcement, value] = documenter.messages(reading);
    expect(value?.topic).toBe('site/plant-7/r_1/temp');
    expect(announcement).toMatchObject({ qos: 1, retain: true });
    expect(announcement?.topic).toMatch(/^ha\/sensor\/plant-7_site_plant-7_r_1_temp_[0-9a-f]{8}\/config$/);
    const id = announcement?.topic.split('/').at(-2);
    expect(JSON.parse(String(announcement?.payload))).toMatchObject({
      ...{ name: 'temp', unique_id: id, state_topic: 'site/plant-7/r_1/temp', unit_of_measurement: '°C' },
      ...{ device_class: 'temperature', value_template: '{{ value_json.value }}', device: { name: 'r/1' } },
    });
    expect(documenter.messages(reading).length).toBe(1);
    expect(documenter.messages(prediction).map(({ topic }) => topic.split('/').at(-1))).toEqual(['config', 'r_1']);
    const occupied = documenter.messages({ ...prediction, subject: 1, class: 'on' })[0];
    expect(JSON.parse(String(occupied?.payload)).value_template).toBe('{{ value_json.class }}');
  });
});

describe('the publisher', () => {
  it('drops the oldest when the door is away for too long, and counts it', async () => {
    let away = true;
    const sent: string[] = [];
    const publisher = createPublisher(
      {
        connected: () => !away,
        publish: (topic, _payload, done) => {
          sent.push(topic);
          done();
        },
      },
      3,
    );
    for (const topic of ['a', 'b', 'c', 'd', 'e']) {
      publisher.send({ topic, payload: '' });
    }
    away = false;
    publisher.send({ topic: 'f', payload: '' });
    await publisher.flushed(1000);
    publisher.stop();
    expect(sent).toEqual(['d', 'e', 'f']);
    // Each packet has 7 bytes beside a topic of one character and no payload.
    expect(publisher.counters()).toEqual({ published: 3, publishedBytes: 24, dropped: 3 });
  });
});
