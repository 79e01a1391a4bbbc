// A release: a version of a global model as it travels and is logged (FORMATS.md section 7). The model inside is made and
// read by the core; here are only the fields around it. A release is named by the SHA-256 of its bytes.

import { byteReader, readMagic, writeBytes } from './bytes.ts';
import { SCHEMA_BYTES_MAX, STATISTICS_BYTES_MAX } from './envelope.ts';
import { RivuletError } from './errors.ts';
import { sha256 } from './signing.ts';

const RELEASE_MAGIC = 'RVRL';
/** Version 1 had no line: its releases begin one each. */
const RELEASE_VERSION = 2;
const NO_LINE = Buffer.alloc(32);
const NAME_BYTES_MAX = 256;

/** The fields of a release. Hashes are 32 bytes; a `parent` or `line` of zeros means none. */
export interface Release {
  task: string;
  schemaHash: Uint8Array;
  parent: Uint8Array;
  /**
   * The first release of its line (zeros: it begins one). Along a line every release holds the statistics of the one
   * before and what was added since, so what one has earned in a panel is the next one's too.
   */
  line: Uint8Array;
  kernelHash: Uint8Array;
  /** How many gateways' statistics are in it, and over how many rows. */
  gateways: number;
  rows: number;
  schema: Uint8Array;
  model: Uint8Array;
}

/** Encodes a release. */
export function encodeRelease(release: Release): Buffer {
  return writeBytes([
    { ascii: RELEASE_MAGIC },
    { u16: RELEASE_VERSION },
    { u16: 0 },
    { str: release.task },
    { raw: release.schemaHash },
    { raw: release.parent },
    { raw: release.line },
    { raw: release.kernelHash },
    { u32: release.gateways },
    { f64: release.rows },
    { bytes: release.schema },
    { bytes: release.model },
  ]);
}

/**
 * Reads a release; what it returns are views into `bytes`.
 * @throws RIV_TRUNCATED, RIV_FOREIGN, RIV_TOO_NEW, RIV_TOO_LARGE, RIV_CORRUPT
 */
export function decodeRelease(bytes: Uint8Array): Release {
  const reader = byteReader(bytes, 'a release');
  const version = readMagic(reader, RELEASE_MAGIC, RELEASE_VERSION, 'a release');
  reader.u16();
  const release: Release = {
    task: reader.str(NAME_BYTES_MAX),
    schemaHash: reader.raw(32),
    parent: reader.raw(32),
    line: version === 1 ? NO_LINE : reader.raw(32),
    kernelHash: reader.raw(32),
    gateways: reader.u32(),
    rows: reader.f64(),
    schema: reader.bytes(SCHEMA_BYTES_MAX),
    model: reader.bytes(STATISTICS_BYTES_MAX),
  };
  reader.finish();
  if (!sha256(release.schema).equals(release.schemaHash))
    throw new RivuletError('RIV_CORRUPT', { found: 'a release whose schema has another hash than it says' });
  if (!(release.rows >= 0 && Number.isFinite(release.rows)))
    throw new RivuletError('RIV_CORRUPT', { found: `a release over ${release.rows} rows` });
  return release;
}

/** SHA-256 of a release's bytes: its name. */
export function releaseHash(bytes: Uint8Array): Buffer {
  return sha256(bytes);
}
