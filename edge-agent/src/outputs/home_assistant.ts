/**
 * What is forwarded and predicted, announced to Home Assistant: a retained configuration per sensor under
 * `<prefix>/sensor/<object id>/config` (Home Assistant, "MQTT discovery"), sent before the first value of it since the start.
 * The same announcement twice changes nothing there.
 */
import { createHash } from 'node:crypto';
import { type Config, type ForwardConfig, OWN_ORIGIN, type TaskConfig } from '@rivulet/host';
import type { OutboundMessage } from './document.ts';

/** Sensors announced per start: more would be a flood of keys, and no dashboard. */
const SENSORS_MAX = 10_000;

export interface Discovery {
  /** The announcement of a forwarded series, unless it was made. */
  reading(rule: ForwardConfig, key: string, field: string, topic: string): OutboundMessage[];
  prediction(task: TaskConfig, key: string, topic: string): OutboundMessage[];
}

export function createDiscovery({ gateway }: Config, { prefix }: NonNullable<Config['homeAssistant']>): Discovery {
  const announced = new Set<string>();

  function announce(topic: string, key: string, name: string, more: object): OutboundMessage[] {
    if (announced.has(topic) || announced.size >= SENSORS_MAX) {
      return [];
    }
    announced.add(topic);
    const id = objectId(gateway, topic);
    const document = {
      ...{ name, unique_id: id, object_id: id, state_topic: topic, json_attributes_topic: topic, ...more },
      device: { identifiers: [objectId(gateway, key)], name: key },
      origin: { name: OWN_ORIGIN },
    };
    const payload = JSON.stringify(document);
    return [{ topic: `${prefix}/sensor/${id}/config`, payload, qos: 1, retain: true }];
  }

  return {
    reading(rule, key, field, topic) {
      const unit = rule.unit === '' ? {} : { unit_of_measurement: rule.unit };
      const kind = rule.deviceClass === '' ? {} : { device_class: rule.deviceClass };
      return announce(topic, key, field, {
        ...{ value_template: '{{ value_json.value }}', state_class: 'measurement', ...unit, ...kind },
      });
    },
    prediction(task, key, topic) {
      const value = task.kind === 'classification' ? 'class' : 'value';
      return announce(topic, key, task.name, { value_template: `{{ value_json.${value} }}` });
    },
  };
}

/** Letters, digits, dash and underscore, as Home Assistant wants it; a hash keeps two names apart that look alike then. */
function objectId(gateway: string, name: string): string {
  const hash = createHash('sha256').update(`${gateway}\n${name}`).digest('hex').slice(0, 8);
  const plain = `${gateway}_${name}`.replaceAll(/[^A-Za-z0-9_-]+/g, '_').slice(0, 100);
  return `${plain}_${hash}`;
}
