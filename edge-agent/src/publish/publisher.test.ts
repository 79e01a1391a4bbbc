import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createPublisher, type Publisher } from './publisher.ts';

const CONNACK = Buffer.from([0x20, 2, 1, 0]);

let publisher: Publisher | null = null;
const server = createServer();
afterEach(async () => {
  await publisher?.close(0);
  server.close();
});

/** The next PUBLISH of a connection: its first byte and packet id. */
function publishOn(socket: Socket): Promise<{ first: number; id: number }> {
  return new Promise((resolve) => {
    socket.on('data', (bytes) => {
      if ((bytes[0] as number) >> 4 === 1) socket.write(CONNACK);
      if ((bytes[0] as number) >> 4 !== 3) return;
      resolve({ first: bytes[0] as number, id: bytes.readUInt16BE(4 + bytes.readUInt16BE(2)) });
    });
    socket.on('error', () => {});
  });
}

function nextConnection(): Promise<Socket> {
  return new Promise((resolve) => server.once('connection', resolve));
}

test('what was not acknowledged is sent again over the next connection, with its packet id and marked as a repeat', async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const firstConnection = nextConnection();
  publisher = createPublisher({
    url: `mqtt://127.0.0.1:${port}`,
    user: undefined,
    password: undefined,
    clientId: 'feed',
    inFlightMax: 4,
    sent: undefined,
    stop: new AbortController().signal,
    notice: () => {},
  });
  const socket = await firstConnection;
  const published = publishOn(socket);
  // Connected before anything is handed over, so that the first attempt goes straight to the socket.
  await new Promise((resolve) => setTimeout(resolve, 100));
  await publisher.send({ kind: 'label', topic: 'labels/a', payload: '1' });
  const first = await published;
  const again = nextConnection();
  socket.destroy();
  const second = await publishOn(await again);
  expect(first.first & 0x08).toBe(0);
  expect(second).toEqual({ first: first.first | 0x08, id: first.id });
});
