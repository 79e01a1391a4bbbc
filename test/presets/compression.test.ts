/** Compressed payloads, made by zlib and zstd themselves. */
import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { foldMessages } from '../support/fold.ts';

const PAYLOAD = JSON.stringify({ temperature: 21.5, note: 'x'.repeat(500) });
const source = (compression: string): string =>
  `  - { topic: "a/{dev}", format: json, compression: ${compression}, fields: { temperature: temperature } }`;

const PACKED = {
  gzip: gzipSync(PAYLOAD),
  zlib: deflateSync(PAYLOAD),
  deflate: deflateRawSync(PAYLOAD),
  zstd: zstdCompressSync(PAYLOAD),
};

it.each(Object.entries(PACKED))('%s_is_read', (name, payload) => {
  for (const compression of name === 'deflate' ? [name] : [name, 'auto']) {
    const { readings } = foldMessages(source(compression), [{ topic: 'a/1', payload }]);
    expect(readings.map(({ key, value }) => [key, value])).toEqual([['1', 21.5]]);
  }
});

it('auto_takes_what_is_not_compressed_as_it_is', () => {
  const { sources } = foldMessages(source('auto'), [{ topic: 'a/1', payload: PAYLOAD }]);
  expect(sources[0]).toMatchObject({ used: 1 });
});

it('what_does_not_unpack_or_unpacks_beyond_the_limit_is_quarantined', () => {
  const bombs = [gzipSync(Buffer.alloc(8 << 20)), zstdCompressSync(Buffer.alloc(8 << 20))];
  const wrong = [PACKED.gzip.subarray(0, 20), Buffer.from('{"temperature":1}')];
  const messages = [...bombs, ...wrong].map((payload) => ({ topic: 'a/1', payload }));
  expect(foldMessages(source('gzip'), messages).sources[0]).toMatchObject({ received: 4, quarantined: 4 });
  const { outputs } = foldMessages(
    source('auto'),
    bombs.map((payload) => ({ topic: 'a/1', payload })),
  );
  expect(outputs.flatMap((output) => (output.kind === 'quarantine' ? [output.code] : []))).toEqual([-7, -7]);
});
