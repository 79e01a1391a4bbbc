/**
 * What every front door is to the agent, and what the agent lends it. A door takes messages off the network, puts them as
 * blocks into the beat, acknowledges them after the sync, and carries our own publishes out.
 */
import type { Clock, DeliveryConfig, DoorStatus, RivuletError } from '@rivulet/host';
import type { Entry } from './beat.ts';
import type { Subscriptions } from './subscriptions.ts';

/** What a door needs of the agent. */
export interface DoorContext {
  gateway: string;
  /** Puts a block into the next commit. */
  put(entry: Entry): void;
  clock: Clock;
  /** In [0, 1): jitter of reconnects. */
  random(): number;
  /** The epoch of a new connection, larger than that of any before it in the log. */
  nextEpoch(): number;
  /** Longest payload the core looks at; longer messages are counted, not kept. */
  payloadBytesMax: number;
  /** True while the log waits for disk space: nothing that was taken is acknowledged, for as long as it lasts. */
  full(): boolean;
  /** Something the operator should see; not fatal. */
  notice(error: RivuletError): void;
  /** What was noticed about this place with a code of this beginning is over. */
  well(codePrefix: string, where: string): void;
  /** What our sessions at brokers are subscribed to. */
  subscriptions: Subscriptions;
}

/** An open front door. */
export interface FrontDoor {
  /** True when messages can come in. */
  connected(): boolean;
  status(): DoorStatus;
  /** Publishes one of our outputs (QoS 1 and not retained by default); `done` is called once, when it left for good or cannot. */
  publish(
    topic: string,
    payload: string | Buffer,
    done: (error?: Error | null) => void,
    delivery?: DeliveryConfig,
  ): void;
  /** Subscribes to these topic filters, and to no others any more; a door to which messages come by themselves has none. */
  follow?(filters: string[]): void;
  /** Takes no further messages; what was taken is still acknowledged. */
  quiesce(): void;
  /** Ends all connections. */
  close(): Promise<void>;
}
