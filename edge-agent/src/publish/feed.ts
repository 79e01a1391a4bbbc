/**
 * What every feed is to the publisher: a source of steps in event time, and a position from which it can be gone on
 * with. A feed knows no broker and no clock.
 */

/** One message to publish. */
export interface FeedMessage {
  readonly topic: string;
  readonly payload: string;
  /** A reading (with the device's own number), a label, or a reading sent a second time on purpose. */
  readonly kind: 'reading' | 'label' | 'repeat';
}

/** All that is due at one instant of the feed's time. */
export interface FeedStep {
  /** Event time, epoch milliseconds: what the publisher paces by. */
  readonly at: number;
  readonly messages: readonly FeedMessage[];
}

/** A stream of steps. */
export interface Feed {
  /** The next step, or null at the end. */
  next(): Promise<FeedStep | null>;
  /** JSON that the feed's maker takes to go on behind the last step given out. */
  position(): unknown;
  /** Numbers for the ledger that only the feed knows, such as messages lost on purpose. */
  counts(): Record<string, number>;
}
