/** The gateways' public keys as key objects: making one costs as much as a verification, so they are kept. */
import {
  type KeyObject,
  publicKeyFromBytes,
  RivuletError,
  signatureVerifies,
  signatureVerifiesAhead,
} from '@rivulet/host';
import type { Roster } from '../fleet/roster.ts';

export interface Keys {
  /** The key of an enrolled gateway; throws `RIV_GATEWAY_UNKNOWN`. */
  of(gateway: string): KeyObject;
  /** Throws `RIV_GATEWAY_UNKNOWN` or `RIV_SIGNATURE` unless the gateway signed `bytes`. */
  check(gateway: string, bytes: Uint8Array, signature: Uint8Array): void;
  /** Whether the gateway signed `bytes`, found out off this thread; false also when it is not enrolled. */
  checkAhead(gateway: string, bytes: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

export function openKeys(roster: Roster): Keys {
  // no more entries than enrolled gateways, which are bounded
  const objects = new Map<string, KeyObject>();

  function of(gateway: string): KeyObject {
    const cached = objects.get(gateway);
    if (cached !== undefined) return cached;
    const member = roster.get(gateway);
    if (member === null)
      throw new RivuletError('RIV_GATEWAY_UNKNOWN', `no gateway ${JSON.stringify(gateway)} is enrolled`);
    const key = publicKeyFromBytes(member.publicKey);
    objects.set(gateway, key);
    return key;
  }

  return {
    of,
    async checkAhead(gateway, bytes, signature) {
      return roster.get(gateway) !== null && signatureVerifiesAhead(bytes, signature, of(gateway));
    },
    check(gateway, bytes, signature) {
      if (!signatureVerifies(bytes, signature, of(gateway))) {
        throw new RivuletError('RIV_SIGNATURE', `the signature is not one of the key that ${gateway} enrolled with`);
      }
    },
  };
}
