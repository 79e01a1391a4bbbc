/** The cases of the bench: who takes the messages, from where, at what rate and quality of service. */

/** Who takes them. The agent comes with three settings of its commit interval. */
export const SUBJECTS = {
  'mqttjs-empty': 'MQTT.js, empty callback',
  'mqttjs-average': 'MQTT.js + JSON.parse + average in a Map',
  socket: 'bare socket that counts',
  agent: 'Rivulet agent, commit interval by default (adaptive, 18 ms, and 36 where few come)',
  'agent-latency': 'Rivulet agent, latency setting: commit 2 ms',
  'agent-throughput': 'Rivulet agent, throughput setting: commit 20 ms',
} as const;

export type Subject = keyof typeof SUBJECTS;

/** `log.commit` of the agent's configuration; null: the default. */
export const COMMIT: Partial<Record<Subject, string | null>> = {
  agent: null,
  'agent-latency': '2ms',
  'agent-throughput': '20ms',
};

export interface Case {
  /** With TLS it is the subject that speaks it; publishers do not. */
  from: 'mosquitto' | 'mosquitto-tls' | 'feeder';
  qos: 0 | 1;
  /** Messages per second; 0: flat out. */
  rate: number;
  subject: Subject;
}

export function caseName({ from, qos, rate, subject }: Case): string {
  return `${from}/qos${qos}/${rate === 0 ? 'flat' : rate}/${subject}`;
}

const POINTS: readonly Omit<Case, 'subject'>[] = [
  ...(['mosquitto', 'feeder'] as const).flatMap((from) =>
    [2000, 10_000, 0].flatMap((rate) => ([1, 0] as const).map((qos) => ({ from, qos, rate }))),
  ),
  { from: 'mosquitto-tls', qos: 1, rate: 10_000 },
];

/** Every case, those of one point next to each other so that they are compared under the same load. */
export const CASES: readonly Case[] = POINTS.flatMap((point) =>
  (Object.keys(SUBJECTS) as Subject[])
    .filter((subject) => isMeasured(subject, point))
    .map((subject) => ({ ...point, subject })),
);

/** The two special settings have goals at QoS 1 and 10,000/s or more; TLS has one for the default. */
function isMeasured(subject: Subject, { from, qos, rate }: Omit<Case, 'subject'>): boolean {
  if (from === 'mosquitto-tls') return subject === 'mqttjs-empty' || subject === 'agent';
  const special = subject === 'agent-latency' || subject === 'agent-throughput';
  return !special || (qos === 1 && rate !== 2000);
}

/** How much is played: half a minute (paced), or for some ten seconds at what the subject can take. */
export function messagesOf({ from, rate, subject }: Case, short: boolean): number {
  if (rate > 0) return rate * (short ? 15 : 30);
  const fast = from === 'feeder' && !subject.startsWith('mqttjs');
  return (fast ? 1_600_000 : 500_000) / (short ? 2 : 1);
}
