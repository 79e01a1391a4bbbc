// What both ends of an enrolment agree on (FORMATS.md section 10): the text that the gateway signs, which shows that it owns
// the key it enrols with, and the proof that it knows the token, which over a broker takes the token's place.

import { createHmac } from 'node:crypto';

/** The fields that are signed. */
export interface EnrolmentFields {
  readonly gateway: string;
  /** As it stands in the request: base64. */
  readonly public_key: string;
  /** 16 bytes, hex. */
  readonly incarnation: string;
}

/** What the gateway's key signs. */
export function enrolmentText({ gateway, public_key, incarnation }: EnrolmentFields): Buffer {
  return Buffer.from(['rivulet enrolment', gateway, public_key, incarnation].join('\n'));
}

/** The value of `Authorization` that shows knowledge of the token without telling it. */
export function enrolmentProof(token: string, fields: EnrolmentFields): string {
  return `Proof ${createHmac('sha256', token).update(enrolmentText(fields)).digest('base64')}`;
}
