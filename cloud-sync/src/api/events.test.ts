import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CoordinatorUnderTest, startCoordinator } from '../../../test/support/coordinator.ts';
import { newFleetGateway } from '../../../test/support/fleet.ts';
import { openEventStream } from './events.ts';

let cloud: CoordinatorUnderTest;

beforeEach(async () => {
  cloud = await startCoordinator();
});

afterEach(() => cloud.stop());

/** A client's connection that takes bytes only when it is told to. */
function client(reads: boolean): ServerResponse {
  const stream = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => (reads ? done() : undefined) });
  return Object.assign(stream, { writeHead: () => stream }) as unknown as ServerResponse;
}

describe('the event stream', () => {
  it('lets a client go that does not read, and keeps the others', () => {
    const events = openEventStream(cloud.coordinator, { fleetMs: 3_600_000, heartbeatMs: 3_600_000 });
    const [deaf, good] = [client(false), client(true)];
    events.join(deaf);
    events.join(good);
    // each newcomer is an event; what fills the line between them stands for events that were larger
    const { publicKey } = newFleetGateway('more', '', false);
    const request = { public_key: publicKey.toString('base64'), incarnation: '0'.repeat(32) };
    for (let n = 0; n < 4_000 && events.clients() === 2; n++) {
      deaf.write('x'.repeat(2_000));
      cloud.coordinator.enrol({ ...request, gateway: `more${n}` });
    }
    expect(events.clients()).toBe(1);
    expect([deaf.destroyed, good.destroyed]).toEqual([true, false]);
    events.stop();
  });
});
