/**
 * What a session is subscribed to at its broker. A broker that refuses may do so for a while only (a right that is given
 * later, a packet id it takes for used), so it is asked again, for what it refused, at growing intervals.
 */
import { type MqttDoor, RivuletError, toRivuletError } from '@rivulet/host';
import type { ISubscriptionGrant, MqttClient } from 'mqtt';
import type { ISubackPacket } from 'mqtt-packet';
import { reconnectDelay } from './delay.ts';
import type { DoorContext } from './door.ts';

/** SUBACK codes from here on refuse (3.1.1: 3.9.3; 5: 3.9.3). */
const REFUSED = 0x80;

export interface Subscribing {
  /** At each CONNACK. @param resumed the broker still has the session */
  connected(resumed: boolean): void;
  /** Other filters from now on; what left them is unsubscribed. */
  follow(filters: string[]): void;
  close(): void;
}

/**
 * @param session name of the session in the memory of subscriptions: what an earlier process asked for is known
 * @param filters MQTT topic filters
 */
export function createSubscribing(
  client: MqttClient,
  { qos, url }: Pick<MqttDoor, 'qos' | 'url'>,
  context: DoorContext,
  session: string,
  filters: string[],
): Subscribing {
  let wanted = filters;
  let subscribed = false;
  let last: Promise<void> = Promise.resolve();
  let askAgain: NodeJS.Timeout | undefined;
  let refusals = 0;

  /** One after the other: each begins with what the one before left. */
  function begin(resumed: boolean, asking = wanted): void {
    subscribed = false; // until it is done: the connection may go before the broker has heard of it
    clearTimeout(askAgain);
    last = last.then(() => subscribe(resumed, asking)).catch((error: unknown) => context.notice(toRivuletError(error)));
  }

  /** @param asking all filters, or those that were refused before: 3.1.1 sends what is retained again for each */
  async function subscribe(resumed: boolean, asking: string[]): Promise<void> {
    const aim = wanted;
    const before = context.subscriptions.of(session);
    const left = resumed ? before.filter((filter) => !aim.includes(filter)) : [];
    await context.subscriptions.remember(session, [...aim, ...left]);
    // `rh: 1` asks for retained messages only where the subscription is new (MQTT 5).
    const answer = await client.subscribeAsync(asking, { qos, rh: 1 }).catch((error: Error) => error);
    const refused = refusedOf(asking, answer);
    if (refused.length > 0 && !client.connected) {
      return; // The connection went in between; the next one subscribes.
    }
    subscribed = refused.length === 0 && aim === wanted;
    if (subscribed) {
      refusals = 0;
      context.well('RIV_MQTT_SUBSCRIBE', url);
    } else if (refused.length > 0) {
      const reason = answer instanceof Error ? ` (${answer.message})` : '';
      const found = `the broker refused a subscription to ${refused.join(', ')}${reason}`;
      context.notice(new RivuletError('RIV_MQTT_SUBSCRIBE', { found, where: url }));
      askAgain = setTimeout(
        () => {
          if (client.connected && aim === wanted) begin(true, refused);
        },
        reconnectDelay(++refusals, context.random()),
      );
    }
    if (left.length > 0) {
      await client.unsubscribeAsync(left);
      await context.subscriptions.remember(session, aim);
    }
  }

  return {
    connected(resumed) {
      if (!subscribed || !resumed) begin(resumed);
    },
    follow(next) {
      wanted = next;
      subscribed = false;
      if (client.connected) begin(true);
    },
    close: () => clearTimeout(askAgain),
  };
}

/** What a SUBACK refuses: its codes are in the order of the filters. Without one, all of it. */
function refusedOf(asked: string[], answer: (Error & { packet?: ISubackPacket }) | ISubscriptionGrant[]): string[] {
  const codes = answer instanceof Error ? (answer.packet?.granted ?? []) : answer.map(({ qos }) => qos);
  return asked.filter((_, index) => Number(codes[index] ?? REFUSED) >= REFUSED);
}
