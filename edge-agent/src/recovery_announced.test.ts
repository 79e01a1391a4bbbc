/** What was announced survives whatever else a start finds: the broker does not say it again to a session that goes on. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BLOCK_KIND,
  type BlockDraft,
  compilePlan,
  encodePlanPayload,
  loadCore,
  openLog,
  openSlots,
  parseConfig,
} from '@rivulet/host';
import { expect, it } from 'vitest';
import { encodePublish } from './ingest/packet.ts';
import { recover } from './recovery.ts';

const ANNOUNCING = 'mqtt: { url: "mqtt://localhost" }\nsources:\n  - { preset: home_assistant }\n';
const OTHER = '  - { name: other, topic: "o/{o}", fields: { x: x } }\n';

function planOf(sources: string): Uint8Array {
  return compilePlan(parseConfig(`gateway: g\n${sources}`, 'x'));
}

function draft(kind: BlockDraft['kind'], payload: Uint8Array): BlockDraft {
  return { kind, door: 0, epoch: 0, count: 0, payload, wallMs: 1000, monoUs: 0, boot: 0 };
}

function said(topic: string, payload: string): BlockDraft {
  const packet = encodePublish({ topic, payload, qos: 1, dup: false, messageId: 1 }, 100_000);
  return { ...draft(BLOCK_KIND.messagesV4, packet), door: 1, count: 1 };
}

it.each([
  ['the_same_plan', ANNOUNCING, [] as string[]],
  ['a_configuration_that_changed_meanwhile', ANNOUNCING + OTHER, []],
  ['another_plan_behind_it', ANNOUNCING + OTHER, [ANNOUNCING + OTHER]],
])('the_newest_announcement_of_each_topic_comes_out_of_the_log_with_%s', async (_name, configured, behind) => {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-recovery-'));
  const core = await loadCore({ build: 'auto' });
  const log = await openLog({ directory: join(directory, 'log') });
  try {
    const blocks = [
      draft(BLOCK_KIND.plan, encodePlanPayload(core.kernelHash, planOf(ANNOUNCING))),
      said('homeassistant/sensor/a/config', '{"stat_t":"old"}'),
      said('homeassistant/sensor/b/config', '{"stat_t":"b"}'),
      said('homeassistant/sensor/a/config', '{"stat_t":"new"}'),
      ...behind.map((plan) => draft(BLOCK_KIND.plan, encodePlanPayload(core.kernelHash, planOf(plan)))),
    ];
    await log.append(blocks).durable;
    const slots = await openSlots(join(directory, 'checkpoint'));
    const plan = planOf(configured);
    const { unpublished } = await recover({ core, plan, log, slots, quarantine: join(directory, 'quarantine') });
    const announced = unpublished.flatMap((output) =>
      output.kind === 'announcement' ? [[output.topic, String(output.payload)]] : [],
    );
    expect(announced).toEqual([
      ['homeassistant/sensor/b/config', '{"stat_t":"b"}'],
      ['homeassistant/sensor/a/config', '{"stat_t":"new"}'],
    ]);
  } finally {
    await log.close();
    await rm(directory, { recursive: true, force: true });
  }
});
