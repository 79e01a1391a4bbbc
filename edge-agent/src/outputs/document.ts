/**
 * From an output of the core to the JSON message that leaves over MQTT, and its topic (design.md section 10). Times are
 * epoch milliseconds; `id` is the offset of the message that caused it and an ordinal, so that a consumer can drop a
 * repeat after a crash. A number that is not known yet is null.
 */
import {
  type Alarm,
  type Config,
  type Output,
  type OutputConfig,
  type Prediction,
  type Wanted,
  type WindowResult,
  windowStatistics,
} from '@rivulet/host';
import { fillTopic } from './topic.ts';

/** A message ready to be published. */
export interface OutboundMessage {
  topic: string;
  payload: string;
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
  const topicsOf = (what: OutputConfig['what'], name: string): string[] =>
    config.outputs
      .filter((rule) => rule.what === what && (rule.of === '*' || rule.of === name))
      .map((rule) => rule.topic);
  const predictionTopics = config.tasks.map((task) => topicsOf('predictions', task.name));
  const alarmTopics = config.tasks.map((task) => topicsOf('alarms', task.name));
  const windowTopics = config.windows.map((window) => topicsOf('windows', window.name));

  function publish(templates: string[] | undefined, values: Record<string, string>, document: object) {
    if (templates === undefined || templates.length === 0) {
      return [];
    }
    const payload = JSON.stringify(document);
    return templates.map((template) => ({ topic: fillTopic(template, { gateway, ...values }), payload }));
  }

  function wants(kind: Output['kind'], subject: number): boolean {
    switch (kind) {
      case 'prediction':
        return (predictionTopics[subject]?.length ?? 0) > 0;
      case 'alarm':
        return (alarmTopics[subject]?.length ?? 0) > 0;
      case 'window':
        return (windowTopics[subject]?.length ?? 0) > 0;
      case 'late':
      case 'quarantine':
      case 'forward':
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
        return publish(predictionTopics[output.subject], { task: task.name, key: output.key }, document);
      }
      case 'alarm': {
        const task = config.tasks[output.subject]?.name ?? '';
        return publish(alarmTopics[output.subject], { task, key: output.key }, alarmDocument(task, output));
      }
      case 'window': {
        const window = config.windows[output.subject]?.name ?? '';
        const document = windowDocument(window, config.windows[output.subject]?.stats ?? [], output);
        return publish(windowTopics[output.subject], { window, key: output.key, field: output.field }, document);
      }
      case 'late':
      case 'quarantine':
      case 'forward':
      case 'served':
      case 'outcome':
        return [];
    }
  }

  return { messages, wants };
}

function predictionDocument(task: string, output: Prediction): object {
  const { key, at, horizonMs, value, low, high, release, id } = output;
  const answer = output.class === '' ? { value, low, high } : { class: output.class, probability: value, low, high };
  const errors = { error: known(output.error), error_last_value: known(output.errorLastValue) };
  return { task, key, at, horizon: horizonMs, ...answer, ...errors, release, id };
}

function alarmDocument(task: string, output: Alarm): object {
  const { key, at, value, expected, score, id } = output;
  return { task, key, at, value, expected, score, id };
}

function windowDocument(window: string, stats: readonly string[], output: WindowResult): object {
  const { key, field, start, end, count, revision, final, id } = output;
  return { window, key, field, start, end, count, ...windowStatistics(stats, output), revision, final, id };
}

/** JSON has no NaN. */
function known(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
