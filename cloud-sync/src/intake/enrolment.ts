/** Enrolment: the first key that comes with an id is that id's key from then on (trust on first use). */
import {
  type Clock,
  enrolmentText,
  publicKeyBytes,
  publicKeyFromBytes,
  RivuletError,
  signatureVerifies,
} from '@rivulet/host';
import type { Store } from '../drivers/store.ts';
import type { Roster } from '../fleet/roster.ts';

/** Gateways that can enrol: each costs memory and disk, and enrolment is the one door for strangers. */
export const GATEWAYS_MAX = 10_000;

/** The same rule as for a gateway's configuration. */
export const GATEWAY_ID = '^[A-Za-z0-9._-]{1,64}$';

export interface EnrolmentRequest {
  readonly gateway: string;
  /** Base64 of the raw key or its SPKI. */
  readonly public_key: string;
  /** 16 bytes, hex. */
  readonly incarnation: string;
  readonly about?: string;
  readonly simulated?: boolean;
}

/**
 * @param signature base64, by the key that enrols; empty: of a gateway that does not know of it yet
 * @throws RIV_SIGNATURE, RIV_GATEWAY_KEY, RIV_OVERLOADED
 */
export function enrol(
  request: EnrolmentRequest,
  signature: string,
  { store, roster, clock, relays }: { store: Store; roster: Roster; clock: Clock; relays: boolean },
): 'enrolled' | 'known' {
  const key = publicKeyFromBytes(Buffer.from(request.public_key, 'base64'));
  if (signature !== '' && !signatureVerifies(enrolmentText(request), Buffer.from(signature, 'base64'), key)) {
    throw new RivuletError('RIV_SIGNATURE', `the enrolment of ${request.gateway} is not signed with the key in it`);
  }
  const publicKey = publicKeyBytes(key);
  const known = roster.get(request.gateway);
  const handOn = () => relays && store.relay.enrolled(request.gateway, JSON.stringify(request), signature);
  if (known !== null) {
    // nothing is taken over here: the request may be one of before
    if (publicKey.equals(known.publicKey)) {
      handOn();
      return 'known';
    }
    throw new RivuletError('RIV_GATEWAY_KEY', `${request.gateway} is enrolled with another key`);
  }
  if (roster.size() >= GATEWAYS_MAX) {
    throw new RivuletError('RIV_OVERLOADED', `${GATEWAYS_MAX} gateways are enrolled, more are not taken`);
  }
  const now = clock.wallMs();
  const { gateway: id, about = '', simulated = false } = request;
  const record = { id, publicKey, about, simulated, enrolledMs: now, lastSeenMs: now, report: null };
  store.atomically(() => {
    roster.enrol(record, request.incarnation);
    handOn();
  });
  return 'enrolled';
}
