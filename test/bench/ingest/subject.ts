/**
 * What the agent is compared with, each as a process of its own: MQTT.js with an empty callback, MQTT.js with the least that
 * a user would write behind it, and a bare socket that reads as messages come. Four times a second it
 * prints how many messages it had and what CPU time they took, as the agent's status does.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import mqtt from 'mqtt';
import { createFramer } from '../../../edge-agent/src/ingest/framer.ts';
import { createAckWriter, publishPacketId } from '../../../edge-agent/src/ingest/packet.ts';
import { TOPIC_FILTER } from './workload.ts';

export interface SubjectJob {
  subject: 'mqttjs-empty' | 'mqttjs-average' | 'socket';
  port: number;
  /** Certificate of the authority, for TLS. */
  ca: string | null;
  qos: 0 | 1;
}

export interface SubjectLine {
  ready?: true;
  messages: number;
  cpu_us: number;
  rss_mib: number;
}

const REPORT_EVERY_MS = 250;

const job = JSON.parse(process.argv[2] as string) as SubjectJob;
let messages = 0;
let cpuAtReady = process.cpuUsage();

function say(more: Partial<SubjectLine> = {}): void {
  const { user, system } = process.cpuUsage(cpuAtReady);
  const line = { ...more, messages, cpu_us: user + system, rss_mib: process.memoryUsage.rss() / 2 ** 20 };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function ready(): void {
  cpuAtReady = process.cpuUsage();
  say({ ready: true });
  setInterval(say, REPORT_EVERY_MS);
}

function throughMqttJs(take: (topic: string, payload: Buffer) => void): void {
  // Its defaults (3.1.1), but for what costs it: no debug log, no delay of small writes.
  const client = mqtt.connect(`${job.ca === null ? 'mqtt' : 'mqtts'}://127.0.0.1:${job.port}`, {
    clientId: 'bench-subject',
    log: () => {},
    ...(job.ca === null ? {} : { ca: readFileSync(job.ca) }),
  });
  client.on('message', take);
  client.on('connect', () => client.subscribe(TOPIC_FILTER, { qos: job.qos }, ready));
}

switch (job.subject) {
  case 'mqttjs-empty':
    throughMqttJs(() => {
      messages += 1;
    });
    break;
  case 'mqttjs-average': {
    const averages = new Map<string, { sum: number; count: number }>();
    throughMqttJs((topic, payload) => {
      messages += 1;
      const { value } = JSON.parse(payload.toString()) as { value: number };
      const average = averages.get(topic);
      if (average === undefined) {
        averages.set(topic, { sum: value, count: 1 });
      } else {
        average.sum += value;
        average.count += 1;
      }
    });
    break;
  }
  case 'socket':
    bareSocket();
    break;
}

/** Counts bytes; packets are framed only since a broker wants its acknowledgements (and we the number of messages). */
function bareSocket(): void {
  const acks = createAckWriter();
  const filter = Buffer.from(TOPIC_FILTER);
  const framer = createFramer(
    {
      packet(bytes, start, body, end) {
        switch ((bytes[start] as number) >> 4) {
          case 2:
            socket.write(Buffer.concat([Buffer.from([0x82, 5 + filter.length, 0, 1, 0, filter.length]), filter, qos]));
            return;
          case 3:
            messages += 1;
            if (job.qos > 0) acks.publish(1, publishPacketId(bytes, body, end));
            return;
          case 9:
            ready();
            return;
        }
      },
      oversized() {},
    },
    1 << 20,
  );
  const qos = Buffer.of(job.qos);
  const socket = connect({
    port: job.port,
    host: '127.0.0.1',
    noDelay: true,
    onread: {
      buffer: Buffer.allocUnsafe(131_072),
      callback(length, bytes) {
        framer.push(Buffer.from(bytes.buffer, bytes.byteOffset, length));
        const answer = acks.take();
        if (answer.length > 0) socket.write(answer);
        return true;
      },
    },
  });
  socket.on('connect', () => {
    const id = Buffer.from('bench-subject');
    socket.write(
      Buffer.concat([Buffer.from([0x10, 12 + id.length, 0, 4, 77, 81, 84, 84, 4, 2, 0, 0, 0, id.length]), id]),
    );
  });
}
