/** MQTT 3.1.1 section 3.3: a PUBLISH packet of QoS 0, as the log holds messages. */

const PUBLISH = 0x30;

export function publishPacket(topic: string, payload: Uint8Array): Buffer {
  const name = Buffer.from(topic);
  const length = 2 + name.length + payload.length;
  const head = [PUBLISH];
  for (let rest = length; ; rest >>>= 7) {
    head.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from(head), Buffer.from([name.length >> 8, name.length & 255]), name, payload]);
}
