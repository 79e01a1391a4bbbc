/** The signed answer that lets a gateway forget a delta. */
import type { Envelope, ErrorCode, Identity } from '@rivulet/host';
import type { Outcome, ReceiptView } from '../api/views.ts';

export function receiptFor(
  envelope: Envelope,
  outcome: Outcome,
  reason: string | null,
  code: ErrorCode | null = null,
): ReceiptView {
  return {
    gateway: envelope.gateway,
    incarnation: Buffer.from(envelope.incarnation).toString('hex'),
    seq: envelope.seq,
    payload_hash: envelope.payloadHash.toString('hex'),
    outcome,
    ...(reason === null ? {} : { reason }),
    ...(code === null ? {} : { code }),
  };
}

/** `signReceipt`, off this thread. */
export async function signReceiptAhead(receipt: ReceiptView, identity: Pick<Identity, 'signAhead'>): Promise<string> {
  return (await identity.signAhead(Buffer.from(JSON.stringify(receipt)))).toString('base64');
}

/** Base64 Ed25519 over `JSON.stringify(receipt)`. */
export function signReceipt(receipt: ReceiptView, identity: Pick<Identity, 'sign'>): string {
  return identity.sign(Buffer.from(JSON.stringify(receipt))).toString('base64');
}
