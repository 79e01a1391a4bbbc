/** The command by which a Sparkplug host asks an edge node to announce itself again (Eclipse Sparkplug 3.0, section 6.4.20). */

const NAME = 'Node Control/Rebirth';
/** Field numbers of the protobuf messages (section 6.4.1), with the wire type in the low three bits. */
const PAYLOAD = { timestamp: (1 << 3) | 0, metrics: (2 << 3) | 2 } as const;
const METRIC = { name: (1 << 3) | 2, timestamp: (3 << 3) | 0, datatype: (4 << 3) | 0, boolean: (14 << 3) | 0 } as const;
const BOOLEAN = 11;

/** The payload of an NCMD message of this time. */
export function rebirthCommand(atMs: number): Buffer {
  const timestamp = varint(Math.max(0, Math.trunc(atMs)));
  const metric = Buffer.concat([
    Buffer.from([METRIC.name, NAME.length]),
    Buffer.from(NAME),
    Buffer.from([METRIC.timestamp, ...timestamp, METRIC.datatype, BOOLEAN, METRIC.boolean, 1]),
  ]);
  return Buffer.concat([Buffer.from([PAYLOAD.timestamp, ...timestamp, PAYLOAD.metrics, metric.length]), metric]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    bytes.push((rest % 128) + 128);
  }
  return [...bytes, rest];
}
