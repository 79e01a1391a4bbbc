/**
 * From an output of the core to the JSON message that leaves over MQTT, and its topic (design.md section 10). Times are
 * epoch milliseconds; `id` is the offset of the message that caused it and an ordinal, so that a consumer can drop a
 * repeat after a crash. A number that is not known yet is null.
 */
import {
  type Alarm,
  type Config,
  type DeliveryConfig,
  type Drift,
  type Forwarded,
  NO_WINDOW,
  type Output,
  type OutputConfig,
  type Prediction,
  type Wanted,
  type WindowResult,
  windowStatistics,
} from '@rivulet/host';
import { createDiscovery } from './home_assistant.ts';
import { rebirthCommand } from './rebirth.ts';
import { fillTopic } from './topic.ts';

/** What a topic is filled with, beside the gateway. */
type Values = { task?: string; window?: string; key: string; field?: string };

/** Topics remembered, some 200 bytes each; with more keys they are filled again. */
const TOPICS_MAX = 4096;

/** A message ready to be published; once at least and not retained unless it says otherwise. */
export interface OutboundMessage extends Partial<DeliveryConfig> {
  topic: string;
  payload: string | Buffer;
}

/** What the configuration makes of outputs. */
export interface Documenter {
  /** None, one, or several messages when the configuration names several topics. */
  messages(output: Output): OutboundMessage[];
  /** False for outputs that make no message, so that they need not even be decoded. */
  wants: Wanted;
}

export function createDocumenter(config: Config): Documenter {
  const { gateway } = config;
  const rulesOf = (what: OutputConfig['what'], name: string): OutputConfig[] =>
    config.outputs.filter((rule) => rule.what === what && (rule.of === '*' || rule.of === name));
  const predictionRules = config.tasks.map((task) => rulesOf('predictions', task.name));
  const alarmRules = config.tasks.map((task) => rulesOf('alarms', task.name));
  const driftRules = config.tasks.map((task) => rulesOf('drift', task.name));
  const windowRules = config.windows.map((window) => rulesOf('windows', window.name));
  const lateRules = config.windows.map((window) => rulesOf('late', window.name));
  const lateOfNone = config.outputs.filter((rule) => rule.what === 'late' && rule.of === '*');
  const lateRulesOf = (subject: number) => (subject === NO_WINDOW ? lateOfNone : lateRules[subject]);

  const discovery = config.homeAssistant === null ? null : createDiscovery(config, config.homeAssistant);

  function publish(
    rules: readonly (DeliveryConfig & { topic: string })[] | undefined,
    values: Values,
    document: object,
  ): OutboundMessage[] {
    if (rules === undefined || rules.length === 0) {
      return [];
    }
    const payload = JSON.stringify(document);
    return rules.map(({ topic, qos, retain }) => ({ topic: topicOf(topic, values), payload, qos, retain }));
  }

  /** Hundreds of predictions a second go to the same few topics. */
  const topics = new Map<string, string>();
  function topicOf(template: string, values: Values): string {
    const { key, field = '' } = values;
    // Keys are hostile: with its length in front none can be taken for a key and a field.
    const name = `${template}\n${values.task ?? values.window}\n${key.length} ${key}${field}`;
    const known = topics.get(name);
    if (known !== undefined) return known;
    const topic = fillTopic(template, { gateway, ...values });
    if (topics.size >= TOPICS_MAX) topics.clear();
    topics.set(name, topic);
    return topic;
  }

  function wants(kind: Output['kind'], subject: number): boolean {
    switch (kind) {
      case 'prediction':
        return (predictionRules[subject]?.length ?? 0) > 0;
      case 'alarm':
        return (alarmRules[subject]?.length ?? 0) > 0;
      case 'window':
        return (windowRules[subject]?.length ?? 0) > 0;
      case 'drift':
      case 'forward':
      case 'rebirth':
        return true;
      case 'late':
        return (lateRulesOf(subject)?.length ?? 0) > 0;
      case 'quarantine':
      case 'announcement':
      case 'served':
      case 'outcome':
        return false;
    }
  }

  function messages(output: Output): OutboundMessage[] {
    switch (output.kind) {
      case 'prediction': {
        const task = config.tasks[output.subject];
        // Before the first label no class has a name yet: there is nothing to say.
        if (task === undefined || (task.kind === 'classification' && output.class === '')) return [];
        const document = predictionDocument(task.name, output);
        const sent = publish(predictionRules[output.subject], { task: task.name, key: output.key }, document);
        return discovery === null ? sent : announced(sent, (topic) => discovery.prediction(task, output.key, topic));
      }
      case 'alarm': {
        const task = config.tasks[output.subject]?.name ?? '';
        return publish(alarmRules[output.subject], { task, key: output.key }, alarmDocument(task, output));
      }
      case 'drift': {
        const task = config.tasks[output.subject]?.name ?? '';
        const rules = output.alert ? driftRules[output.subject] : [];
        return publish(rules, { task, key: output.key }, driftDocument(task, output));
      }
      case 'window': {
        const window = config.windows[output.subject]?.name ?? '';
        const document = windowDocument(window, config.windows[output.subject]?.stats ?? [], output);
        return publish(windowRules[output.subject], { window, key: output.key, field: output.field }, document);
      }
      case 'forward': {
        const rule = config.forward[output.subject];
        if (rule === undefined) return [];
        const { key, field } = output;
        const sent = publish([rule], { key, field }, forwardDocument(rule.unit, output));
        return discovery === null ? sent : announced(sent, (topic) => discovery.reading(rule, key, field, topic));
      }
      case 'late': {
        const { key, field, time, value, watermark, id } = output;
        const window = config.windows[output.subject]?.name ?? null;
        const document = { window, key, field, time, value, watermark: known(watermark), id };
        return publish(lateRulesOf(output.subject), { window: window ?? '', key, field }, document);
      }
      case 'rebirth':
        return [{ topic: output.topic, payload: rebirthCommand(output.at) }];
      case 'quarantine':
      case 'announcement':
      case 'served':
      case 'outcome':
        return [];
    }
  }

  return { messages, wants };
}

/** The messages, each behind its announcement where there is one. */
function announced(messages: OutboundMessage[], announcement: (topic: string) => OutboundMessage[]): OutboundMessage[] {
  const first = messages.flatMap(({ topic }) => announcement(topic));
  return first.length === 0 ? messages : [...first, ...messages];
}

/** Written out, not spread: it is made for every prediction. */
function predictionDocument(task: string, output: Prediction): object {
  const { key, at, horizonMs: horizon, value, low, high, release, id } = output;
  const error = known(output.error);
  const error_last_value = known(output.errorLastValue);
  return output.class === ''
    ? { task, key, at, horizon, value, low, high, error, error_last_value, release, id }
    : {
        task,
        key,
        at,
        horizon,
        class: output.class,
        probability: value,
        low,
        high,
        error,
        error_last_value,
        release,
        id,
      };
}

function alarmDocument(task: string, output: Alarm): object {
  const { key, at, value, expected, score, id } = output;
  return { task, key, at, value, expected, score, id };
}

function driftDocument(task: string, output: Drift): object {
  const { key, of, feature, detector, at, before, after, rows, batch, id } = output;
  return { task, of, ...(feature === '' ? {} : { feature }), key, at, before, after, detector, rows, batch, id };
}

function windowDocument(window: string, stats: readonly string[], output: WindowResult): object {
  const { key, field, start, end, count, revision, final, id } = output;
  return { window, key, field, start, end, count, ...windowStatistics(stats, output), revision, final, id };
}

function forwardDocument(unit: string, { key, field, time, value, id }: Forwarded): object {
  return { key, field, at: time, value, ...(unit === '' ? {} : { unit }), id };
}

/** JSON has no NaN. */
function known(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
