/** Listening at a broker: what is published, by topic, with a few samples of each. Nothing is acknowledged away from others: the session is its own and clean. */
import { RivuletError } from '@rivulet/host';
import { connectAsync, type MqttClient } from 'mqtt';

/** Topics that are looked at; a broker with more is described by these. */
const TOPICS_MAX = 5000;
/** Payloads kept of a topic, and bytes of one: what changes between messages shows in a few. */
const SAMPLES_MAX = 5;
const SAMPLE_BYTES_MAX = 64 * 1024;
const CONNECT_MS_MAX = 10_000;

/** What was heard on a topic. */
export interface Heard {
  topic: string;
  samples: Buffer[];
  /** Messages that came live; kept ones, which a broker sends at once, are not among them. */
  live: number;
}

export interface Listening {
  topics: Heard[];
  /** Topics beyond those that are looked at. */
  more: number;
  seconds: number;
}

/**
 * Listens for some seconds.
 * @throws RIV_MQTT_UNREACHABLE, RIV_MQTT_SUBSCRIBE
 */
export async function listen(
  url: string,
  options: { seconds: number; filters: readonly string[]; user: string | null; password: string | null },
): Promise<Listening> {
  const heard = new Map<string, Heard>();
  let more = 0;
  const client = await connect(url, options);
  try {
    client.on('message', (topic, payload, packet) => {
      let known = heard.get(topic);
      if (known === undefined) {
        if (heard.size >= TOPICS_MAX) {
          more += 1;
          return;
        }
        known = { topic, samples: [], live: 0 };
        heard.set(topic, known);
      }
      known.live += packet.retain ? 0 : 1;
      if (known.samples.length < SAMPLES_MAX && payload.length <= SAMPLE_BYTES_MAX) {
        known.samples.push(Buffer.from(payload));
      }
    });
    const granted = await client.subscribeAsync([...options.filters], { qos: 0 });
    const refused = granted.filter(({ qos }) => qos >= 128).map(({ topic }) => topic);
    if (refused.length > 0) {
      const found = `the broker refused a subscription to ${refused.join(', ')}`;
      throw new RivuletError('RIV_MQTT_SUBSCRIBE', { found, where: url, todo: 'Name others with --topic.' });
    }
    await new Promise((resolve) => setTimeout(resolve, options.seconds * 1000));
  } finally {
    await client.endAsync(true);
  }
  const topics = [...heard.values()].sort((one, other) => (one.topic < other.topic ? -1 : 1));
  return { topics, more, seconds: options.seconds };
}

async function connect(
  url: string,
  { user, password }: { user: string | null; password: string | null },
): Promise<MqttClient> {
  try {
    return await connectAsync(url, {
      ...{ clean: true, reconnectPeriod: 0, connectTimeout: CONNECT_MS_MAX, protocolVersion: 4 },
      ...(user === null ? {} : { username: user }),
      ...(password === null ? {} : { password }),
    });
  } catch (cause) {
    const found = (cause as Error).message || String((cause as NodeJS.ErrnoException).code);
    throw new RivuletError('RIV_MQTT_UNREACHABLE', { found, where: url, cause });
  }
}
