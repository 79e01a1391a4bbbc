/** Calls over a broker that misbehaves: sockets that say what no broker says, or nothing. The laws over a real one are in test/laws. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { brokerTransport } from './broker.ts';
import type { Transport } from './http.ts';

const CONNACK = Buffer.from([0x20, 2, 0, 0]);
/** Of a type that does not exist. */
const GARBAGE = Buffer.alloc(64, 0);
const request = { method: 'GET' as const, timeoutMs: 5_000, answerBytesMax: 1_000 };

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Something that listens; answers how to reach it, and the connections that are open there. */
async function listening(answer: (socket: Socket, bytes: Buffer) => void) {
  const open = new Set<Socket>();
  const seen = { connections: 0 };
  const server = createServer((socket) => {
    open.add(socket);
    seen.connections += 1;
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (bytes) => answer(socket, bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`, open, seen };
}

function transportTo(url: string): Transport {
  return brokerTransport(url, { gateway: 'north', protocol: 4 });
}

/** SUBACK to a SUBSCRIBE; its packet id stands behind the fixed header. */
const suback = (bytes: Buffer): Buffer => Buffer.from([0x90, 3, bytes[2] as number, bytes[3] as number, 1]);

it('a connection that broke in the middle of a call does not make the one after it forgotten', async () => {
  let publishes = 0;
  const broker = await listening((socket, bytes) => {
    const type = (bytes[0] as number) >> 4;
    if (type === 1) socket.write(CONNACK);
    else if (type === 8) socket.write(suback(bytes));
    else if (type === 3 && ++publishes === 1) socket.write(GARBAGE); // and later ones are not answered
  });
  const transport = transportTo(broker.url);
  await expect(transport.call('/api/v1/releases/x', { ...request, timeoutMs: 300 })).rejects.toThrow('no answer');
  expect(broker.seen.connections).toBe(2);
  await transport.close();
  await expect.poll(() => broker.open.size, { timeout: 10_000 }).toBe(0);
});

it('what is no broker is told as a failed call, however much it says', async () => {
  const broker = await listening((socket) => {
    for (let n = 0; n < 5; n++) setTimeout(() => socket.writable && socket.write(GARBAGE), 5 * n);
  });
  const transport = transportTo(broker.url);
  await expect(transport.call('/api/v1/releases/x', request)).rejects.toThrow();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await transport.close();
});

it('closing does not wait for a broker that says nothing', async () => {
  const broker = await listening(() => {});
  const transport = transportTo(broker.url);
  const call = transport
    .call('/api/v1/releases/x', { ...request, timeoutMs: 600_000 })
    .catch((error: unknown) => error);
  await expect.poll(() => broker.open.size, { timeout: 10_000 }).toBe(1);
  await transport.close();
  expect(await call).toBeInstanceOf(Error);
  await expect.poll(() => broker.open.size, { timeout: 10_000 }).toBe(0);
});
