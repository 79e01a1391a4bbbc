/**
 * A file as chunks of text: plain or gzip, told apart by the first two bytes and not by the name. A byte order mark
 * is dropped. Memory stays at a few chunks whatever the size of the file.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { RivuletError } from '@rivulet/host';

/** Bytes read from the file at a time. */
const CHUNK_BYTES = 256 * 1024;

/** The text of a file, chunk by chunk. */
export async function* textOf(path: string): AsyncGenerator<string> {
  const gzip = await isGzip(path); // before the stream is made: its errors have no listener until then
  const source = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  const stream = gzip ? source.pipe(createGunzip({ chunkSize: CHUNK_BYTES })) : source;
  source.on('error', (error) => stream.destroy(error));
  const decoder = new TextDecoder('utf-8'); // drops a byte order mark
  try {
    for await (const chunk of stream) {
      const text = decoder.decode(chunk as Buffer, { stream: true });
      // No text file holds a NUL; pictures, archives and UTF-16 do, and would fail later with a puzzling message.
      if (text.includes('\0')) {
        throw new RivuletError('RIV_DATA', {
          where: path,
          found: 'bytes that are no text',
          expected: 'UTF-8, plain or gzip',
        });
      }
      if (text !== '') yield text;
    }
  } catch (error) {
    throw error instanceof RivuletError ? error : unreadable(path, error);
  } finally {
    source.destroy();
  }
  const rest = decoder.decode();
  if (rest !== '') yield rest;
}

async function isGzip(path: string): Promise<boolean> {
  try {
    await using file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, cause: unknown): RivuletError {
  return new RivuletError('RIV_FILE_UNREADABLE', { where: path, found: (cause as Error).message, cause });
}
