/** The broker of one run: mosquitto for messages through it, with a second listener where the subject speaks TLS. */
import { makeAuthority } from '../../support/certificates.ts';
import { freePort, startMosquitto } from '../../support/mosquitto.ts';
import type { Case } from './cases.ts';

export interface Broker {
  /** Where publishers connect; 0 when the feeder is the broker itself. */
  port: number;
  /** Where the subject connects by TLS, and the certificate of the authority; null: at `port`, without. */
  tls: { port: number; ca: string } | null;
  stop(): Promise<void>;
}

export async function startBroker({ from }: Case): Promise<Broker> {
  if (from === 'feeder') return { port: 0, tls: null, stop: async () => {} };
  if (from === 'mosquitto') {
    const { port, stop } = await startMosquitto({ saves: false });
    return { port, tls: null, stop };
  }
  const authority = await makeAuthority();
  const { cert, key } = await authority.issue('localhost');
  const tls = { port: await freePort(), ca: authority.ca };
  const listener = `listener ${tls.port} 127.0.0.1\ncertfile ${cert}\nkeyfile ${key}\n`;
  const mosquitto = await startMosquitto({ saves: false, more: `allow_anonymous true\n${listener}` });
  return {
    port: mosquitto.port,
    tls,
    async stop() {
      await mosquitto.stop();
      await authority.remove();
    },
  };
}
