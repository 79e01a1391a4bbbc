/**
 * The built console, read into memory once: what is not in this table cannot be asked for, so no path leads out of it.
 */
import { createHash } from 'node:crypto';
import { type Dirent, readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';

/** Files and bytes of a console: far above what it needs, far below what would hurt. */
const FILES_MAX = 500;
const BYTES_MAX = 32 * 1024 * 1024;

const MEDIA: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};

export interface ConsoleFile {
  readonly bytes: Buffer;
  readonly media: string;
  readonly etag: string;
  readonly cache: string;
}

/** Files by URL path; `/` is index.html. An absent directory gives a page that says how to build the console. */
export function readConsole(directory: string): ReadonlyMap<string, ConsoleFile> {
  const files = new Map<string, ConsoleFile>();
  let bytes = 0;
  for (const path of filesUnder(directory).slice(0, FILES_MAX)) {
    const content = readFileSync(path);
    bytes += content.length;
    if (bytes > BYTES_MAX) break;
    files.set(`/${relative(directory, path).split(sep).join('/')}`, fileOf(path, content));
  }
  const index = files.get('/index.html') ?? fileOf('index.html', Buffer.from(NOT_BUILT));
  return files.set('/', index);
}

function filesUnder(directory: string): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  } catch {
    return [];
  }
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

function fileOf(path: string, bytes: Buffer): ConsoleFile {
  return {
    bytes,
    media: MEDIA[extname(path)] ?? 'application/octet-stream',
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    // the builder puts a hash of the contents into these names: another content has another name
    cache:
      /[.-][\w-]{8,}\.\w+$/.test(path) && path.includes(`${sep}assets${sep}`)
        ? 'public, max-age=31536000, immutable'
        : 'no-cache',
  };
}

const NOT_BUILT = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Rivulet</title>
<h1>The console is not built</h1>
<p>Run <code>npm run build:console</code> and start the coordinator again.</p>
<p>The API is there: <a href="/api/v1/fleet">fleet</a>, <a href="/api/v1/openapi.json">description</a>.</p>
</html>
`;
