/**
 * Which publishers are behind which topics: a preset is recognised by its topics and by the core reading the payloads, not by
 * their looks. What is found here is what `rivulet run` will do.
 */
import {
  BLOCK_HEADER_BYTES,
  BLOCK_KIND,
  type Core,
  compilePlan,
  encodeBlockHeader,
  PRESETS,
  parseConfig,
  topicMatches,
} from '@rivulet/host';
import { encodeOwnPublish } from '../ingest/packet.ts';
import type { Heard } from './listen.ts';

/** How the topic levels in front of what a preset reads are found; null: they are always its default. */
const BASES: Readonly<Record<string, RegExp | null>> = {
  zigbee2mqtt: /^(.+)\/bridge\/(?:state|info|devices)$/,
  tasmota: /^(?:(.+)\/)?tele\/[^/]+\/(?:SENSOR|STATE)$/,
  shelly: /^(?:(.+)\/)?[^/]+\/events\/rpc$/,
  esphome: /^(?:(.+)\/)?[^/]+\/(?:sensor|binary_sensor|number)\/[^/]+\/state$/,
  theengs: /^(.+)\/[^/]+\/BTtoMQTT\/[^/]+$/,
  homie: /^(.+)\/[^/]+\/\$homie$/,
  ...{ the_things_network: null, chirpstack: null, sparkplug_b: null, aws_shadow: null },
  ...{ telegraf: null, telegraf_json: null, senml: null },
};

/** A preset as it fits what was heard. */
export interface Recognised {
  preset: string;
  base: string;
  /** Topics of which it reads messages. */
  topics: Heard[];
  /** Topics that are its publisher's, of which it reads nothing: commands, states, what the bridge says. */
  silent: Heard[];
}

/** The presets that read what was heard, each topic with one of them. */
export function recognise(core: Core, topics: readonly Heard[], nowMs: number): Recognised[] {
  const free = new Set(topics);
  const found: Recognised[] = [];
  for (const [preset, pattern] of Object.entries(BASES)) {
    const usual = PRESETS[preset]?.base ?? '';
    const bases = new Set([usual]);
    for (const { topic } of pattern === null ? [] : topics) {
      const match = pattern?.exec(topic);
      if (match) bases.add(match[1] ?? '');
    }
    for (const base of bases) {
      const own = `sources: [{ preset: ${preset}, base: ${JSON.stringify(base)} }]`;
      const config = parseConfig(`gateway: discover\n${own}`, 'discover');
      const read = reader(core, compilePlan(config), nowMs);
      const match = ({ topic }: Heard): boolean => config.sources.some((source) => topicMatches(source.topic, topic));
      const near = [...free].filter(match);
      const used = near.filter(read);
      if (used.length === 0) continue;
      const front = base === '' ? '' : `${base}/`;
      const silent = [...free].filter(
        (heard) => heard.topic.startsWith(front) && front !== '' && !used.includes(heard),
      );
      for (const heard of [...used, ...silent]) free.delete(heard);
      found.push({ preset, base, topics: used, silent });
    }
  }
  return found;
}

/** Says whether the core reads any sample of a topic under a plan. */
function reader(core: Core, plan: Uint8Array, wallMs: number): (heard: Heard) => boolean {
  const engine = core.newEngine();
  engine.open(plan);
  let [sequence, offset, used] = [0, 0, 0];
  return ({ topic, samples }) => {
    const packets = samples.map((payload, index) =>
      encodeOwnPublish({ id: index + 1, topic, payload, protocol: 4, dup: false }),
    );
    const payload = Buffer.concat(packets);
    const block = Buffer.concat([Buffer.alloc(BLOCK_HEADER_BYTES), payload]);
    encodeBlockHeader(block, 0, {
      ...{ kind: BLOCK_KIND.messagesV4, door: 1, payloadLength: payload.length, count: packets.length },
      ...{ firstOffset: offset, sequence, wallMs, monoUs: sequence, epoch: 1, boot: 1, segment: 1, beginsWrite: true },
    });
    engine.ingest(block);
    sequence += 1;
    offset += packets.length;
    const now = engine.report().sources.reduce((sum, source) => sum + source.used, 0);
    const read = now > used;
    used = now;
    return read;
  };
}
