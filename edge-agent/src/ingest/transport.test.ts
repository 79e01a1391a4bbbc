import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { closeAll, closing, until } from '../../../test/support/doors.ts';
import { readAtOnce } from './transport.ts';

afterEach(closeAll);

/** Two ends of a connection; ours stops reading at its first byte, as the client door does. */
async function pair() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'connection');
  const read = { buffer: Buffer.alloc(16), length: 0 };
  const onread = {
    buffer: read.buffer,
    callback(length: number) {
      read.length += length;
      return false;
    },
  };
  const ours = connect({ port, host: '127.0.0.1', onread });
  const errors: string[] = [];
  ours.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code ?? ''));
  const [theirs] = (await accepted) as [Socket];
  theirs.on('error', () => undefined);
  closing.push(async () => {
    ours.destroy();
    theirs.destroy();
    server.close();
  });
  theirs.write('x');
  await until(() => read.length === 1, 'the first byte');
  const into = Buffer.alloc(32_768);
  const next = async (): Promise<string> => {
    let length = 0;
    await until(() => {
      length = readAtOnce(ours, into);
      return length > 0;
    }, 'something to read');
    return into.toString('latin1', 0, length);
  };
  return { ours, theirs, errors, into, next };
}

describe('a read of what a socket has', () => {
  it('answers nothing while there is nothing, then what came', async () => {
    const { ours, theirs, errors, into, next } = await pair();
    expect(readAtOnce(ours, into)).toBe(0);
    theirs.write('hello');
    expect(await next()).toBe('hello');
    expect(readAtOnce(ours, into)).toBe(0);
    expect(errors).toEqual([]);
  });

  it('takes much at once, and what comes behind it another time', async () => {
    const { ours, theirs, errors, into, next } = await pair();
    for (const letter of 'ab') {
      const much = letter.repeat(20_000);
      theirs.write(much);
      let taken = '';
      while (taken.length < much.length) taken += await next();
      expect(taken).toBe(much);
    }
    expect(readAtOnce(ours, into)).toBe(0);
    expect(errors).toEqual([]);
  });

  it('leaves the end of a connection for the stream to find', async () => {
    const { ours, theirs, errors, into } = await pair();
    theirs.end();
    await until(() => theirs.writableFinished, 'the end is sent');
    expect(readAtOnce(ours, into)).toBe(0);
    ours.resume();
    await until(() => ours.readableEnded, 'the end is found');
    expect(errors).toEqual([]);
  });

  it('tells of a reset what the stream would have told', async () => {
    const { ours, theirs, errors, into } = await pair();
    theirs.resetAndDestroy();
    await until(() => readAtOnce(ours, into) === 0 && ours.destroyed, 'the reset is seen');
    await until(() => errors.length > 0, 'the reset is told');
    expect(errors).toEqual(['ECONNRESET']);
    expect(readAtOnce(ours, into)).toBe(0);
  });
});
