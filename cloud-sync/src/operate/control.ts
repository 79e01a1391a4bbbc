/**
 * The control socket: `control.sock` in the state directory, where a running coordinator takes its operator's commands.
 * Whoever may write in that directory owns the models anyway, so the directory's permissions are the authority and
 * nothing of this is reachable over the network. One command per connection: a line of JSON each way.
 */
import { rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { ERRORS, type ErrorCode, RivuletError, toRivuletError } from '@rivulet/host';
import type { Coordinator } from '../coordinator.ts';
import { type OperatorCommand, parseCommand } from './command.ts';

const SOCKET_FILE = 'control.sock';
/** Longest path of a socket that every system takes, in bytes. */
const SOCKET_PATH_MAX = 100;
/** Longest command; names in it are short. */
const COMMAND_BYTES_MAX = 16 * 1024;
/** A command is answered within this: the largest forget rebuilds every model once. */
const ANSWER_MS_MAX = 120_000;

export interface Control {
  close(): void;
}

/** Listens. Without a socket (a path too long, a file system that has none) the coordinator runs on and says so. */
export async function openControl(
  state: string,
  coordinator: Pick<Coordinator, 'operate'>,
  notice: (error: unknown) => void,
): Promise<Control> {
  const path = join(state, SOCKET_FILE);
  if (Buffer.byteLength(path) > SOCKET_PATH_MAX) {
    notice(new RivuletError('RIV_CONTROL', { where: path, found: 'a path too long for a socket' }));
    return { close: () => {} };
  }
  rmSync(path, { force: true }); // of a run that was killed: the store's lock says that nobody else is running
  const server = createServer((socket) => serve(socket, coordinator));
  await new Promise<void>((resolve) => {
    server.once('error', (error) => {
      notice(new RivuletError('RIV_CONTROL', { where: path, found: error.message, cause: error }));
      resolve();
    });
    server.listen(path, resolve);
  });
  return { close: () => void server.close() };
}

function serve(socket: Socket, coordinator: Pick<Coordinator, 'operate'>): void {
  let text = '';
  socket.setEncoding('utf8').setTimeout(ANSWER_MS_MAX, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('data', (part: string) => {
    text += part;
    if (text.length > COMMAND_BYTES_MAX) socket.destroy();
    else if (text.endsWith('\n')) socket.end(`${JSON.stringify(answer(text, coordinator))}\n`);
  });
}

function answer(text: string, coordinator: Pick<Coordinator, 'operate'>): object {
  try {
    return { answer: coordinator.operate(parseCommand(text)) };
  } catch (error) {
    const { code, message } = toRivuletError(error);
    return { error: { code, message } };
  }
}

/** Has the coordinator that runs on `state` carry out a command. */
export async function askControl(state: string, command: OperatorCommand): Promise<object> {
  const path = join(state, SOCKET_FILE);
  const text = await new Promise<string>((resolve, reject) => {
    let received = '';
    const socket = connect(path, () => socket.write(`${JSON.stringify(command)}\n`));
    socket.setEncoding('utf8').setTimeout(ANSWER_MS_MAX, () => socket.destroy(new Error('no answer')));
    socket.on('data', (part: string) => {
      received += part;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
  }).catch((error: Error) => {
    throw new RivuletError('RIV_CONTROL', { where: path, found: error.message, cause: error });
  });
  const said = JSON.parse(text === '' ? '{}' : text) as { answer?: object; error?: { code: string; message: string } };
  if (said.answer !== undefined) return said.answer;
  const { code = 'RIV_CONTROL', message = 'no answer' } = said.error ?? {};
  throw new CodedAnswer(Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'RIV_INTERNAL', message);
}

/** A refusal that was worded where it was made. */
class CodedAnswer extends RivuletError {
  constructor(code: ErrorCode, message: string) {
    super(code, '');
    this.message = message;
  }
}
