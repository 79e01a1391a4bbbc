/** The signed answer that lets a gateway forget a delta. */
import type { Envelope, Identity } from '@rivulet/host';
import type { Outcome, ReceiptView } from '../api/views.ts';

export function receiptFor(envelope: Envelope, outcome: Outcome, reason: string | null): ReceiptView {
  return {
    gateway: envelope.gateway,
    incarnation: Buffer.from(envelope.incarnation).toString('hex'),
    seq: envelope.seq,
    payload_hash: envelope.payloadHash.toString('hex'),
    outcome,
    ...(reason === null ? {} : { reason }),
  };
}

/** Base64 Ed25519 over `JSON.stringify(receipt)`. */
export function signReceipt(receipt: ReceiptView, identity: Pick<Identity, 'sign'>): string {
  return identity.sign(Buffer.from(JSON.stringify(receipt))).toString('base64');
}
