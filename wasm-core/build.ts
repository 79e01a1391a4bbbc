/**
 * `npm run build:wasm`: builds the core with wasm-pack, scalar and simd128 from one source, into `wasm-core/pkg/`, with
 * a stamp of what it was built from. `-- --check` builds into a temporary folder instead and fails when the committed
 * files are not what the sources give: byte for byte under the stamped compiler, by the golden digests under another.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';
import { BUILDS, type Build, compilerFlags, sourcesHash, WASM_BINDGEN_VERSION } from './sources.ts';
import { readStamp, type Stamp, stampFile, stampProblems, wasmFile } from './stamp.ts';

const crate = import.meta.dirname;
const repository = join(crate, '..');
const committed = join(crate, 'pkg');
const targets = process.env.CARGO_TARGET_DIR ?? join(crate, 'target');
const cargoHome = process.env.CARGO_HOME ?? join(homedir(), '.cargo');
// wasm-opt comes from the npm package binaryen; Rust's tools from where rustup puts them.
const path = [join(repository, 'node_modules', '.bin'), process.env.PATH ?? '', join(cargoHome, 'bin')].join(delimiter);

/** A reason to stop that is told without a stack. */
class Stop extends Error {}

function run(command: string, args: string[], env: Record<string, string> = {}): void {
  const { RUSTFLAGS: _, ...inherited } = process.env;
  const result = spawnSync(command, args, { cwd: crate, env: { ...inherited, PATH: path, ...env }, encoding: 'utf8' });
  if (result.status !== 0) throw new Stop(`${command} ${args.join(' ')} failed:\n${result.stdout}${result.stderr}`);
}

/** First line a tool prints about itself, or nothing when it is not there. */
function ask(command: string, ...args: string[]): string | undefined {
  const result = spawnSync(command, args, { cwd: crate, env: { ...process.env, PATH: path }, encoding: 'utf8' });
  return result.status === 0 ? result.stdout.trim().split('\n')[0] : undefined;
}

/** The tools' own words, or one clear line for the first that is missing. */
function findTools(): Stamp['tools'] {
  const need = (found: string | undefined, what: string, mend: string): string => {
    if (found) return found;
    throw new Stop(
      `${what} is not there. The committed core in wasm-core/pkg works without it; to build it anew: ${mend}`,
    );
  };
  const rustc = need(ask('rustc', '-V'), 'Rust', 'install it from https://rustup.rs');
  const target = 'wasm32-unknown-unknown';
  const library = ask('rustc', '--print', 'target-libdir', '--target', target);
  need(library && existsSync(library) ? library : undefined, `Rust's target ${target}`, `rustup target add ${target}`);
  need(ask('wasm-pack', '-V'), 'wasm-pack', 'cargo install wasm-pack');
  const bindgen = ask('wasm-bindgen', '-V');
  const wanted = `wasm-bindgen ${WASM_BINDGEN_VERSION}`;
  need(
    bindgen === wanted ? bindgen : undefined,
    wanted,
    `cargo install wasm-bindgen-cli --version ${WASM_BINDGEN_VERSION}`,
  );
  return { rustc, wasm_bindgen: wanted, wasm_opt: need(ask('wasm-opt', '--version'), 'wasm-opt', 'npm ci') };
}

/** Flags that replace this machine's paths, which panic messages would carry into the bytes. */
function pathFlags(): string[] {
  const registry = join(cargoHome, 'registry', 'src');
  const mirrors = existsSync(registry) ? readdirSync(registry).map((name) => join(registry, name)) : [];
  return [...mirrors.map((mirror) => `${mirror}=/crates`), `${crate}=/rivulet`].map(
    (map) => `--remap-path-prefix=${map}`,
  );
}

function buildOne(build: Build, into: string): void {
  const out = mkdtempSync(join(tmpdir(), 'rivulet-wasm-'));
  try {
    run(
      'wasm-pack',
      ['build', '.', '--release', '--mode', 'no-install', '--target', 'web', '--no-pack', '--no-gitignore']
        .concat(['--out-dir', out, '--out-name', 'rivulet'])
        .concat(['--', '--locked']),
      {
        CARGO_ENCODED_RUSTFLAGS: [...compilerFlags(build), ...pathFlags()].join('\x1f'),
        // One folder each: cargo would otherwise compile everything anew whenever the flags change.
        CARGO_TARGET_DIR: join(targets, `wasm-${build}`),
      },
    );
    copyFileSync(join(out, 'rivulet_bg.wasm'), join(into, wasmFile(build)));
    copyFileSync(join(out, 'rivulet_bg.wasm.d.ts'), join(into, 'rivulet.d.ts'));
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

function buildAll(tools: Stamp['tools'], into: string): Stamp {
  mkdirSync(into, { recursive: true });
  // The sources of the dependencies must be there before their paths can be replaced.
  run('cargo', ['fetch', '--locked', '--target', 'wasm32-unknown-unknown']);
  const sources = sourcesHash(crate);
  for (const build of BUILDS) buildOne(build, into);
  if (sourcesHash(crate) !== sources) throw new Stop('the sources changed during the build: build again');
  const stamp: Stamp = {
    stamp: 1,
    sources,
    tools,
    builds: { scalar: stampFile(into, 'scalar'), simd: stampFile(into, 'simd') },
  };
  writeFileSync(join(into, 'stamp.json'), `${JSON.stringify(stamp, null, 2)}\n`);
  return stamp;
}

function check(): void {
  const problems = stampProblems(committed, sourcesHash(crate));
  if (problems.length > 0) {
    throw new Stop(`wasm-core/pkg is stale (${problems.join('; ')}): run npm run build:wasm and commit wasm-core/pkg`);
  }
  const tools = findTools();
  const fresh = mkdtempSync(join(tmpdir(), 'rivulet-pkg-'));
  try {
    buildAll(tools, fresh);
    if (JSON.stringify(readStamp(committed).tools) === JSON.stringify(tools)) compareBytes(fresh);
    else {
      const others = otherDigests(fresh);
      if (others) throw new Stop(others);
    }
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  const how =
    JSON.stringify(readStamp(committed).tools) === JSON.stringify(tools)
      ? 'the same bytes'
      : `the same digests under ${tools.rustc}`;
  console.log(`wasm-core/pkg is what the sources give: ${how}`);
}

/** What the golden digests of the builds in `folder` say against them; nothing when they are the committed ones. */
function otherDigests(folder: string): string | undefined {
  try {
    run(process.execPath, [join(repository, 'test', 'golden', 'check.ts'), folder]);
    return undefined;
  } catch (error) {
    return `the golden digests are others; if that is meant: node test/golden/make.ts\n${String(error)}`;
  }
}

function compareBytes(fresh: string): void {
  for (const file of [...BUILDS.map(wasmFile), 'rivulet.d.ts']) {
    if (!readFileSync(join(fresh, file)).equals(readFileSync(join(committed, file)))) {
      throw new Stop(
        `${file} is not what the sources give with the same tools: run npm run build:wasm and look at the difference`,
      );
    }
  }
}

try {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  if (values.check) check();
  else {
    const stamp = buildAll(findTools(), committed);
    for (const build of BUILDS) console.log(`${stamp.builds[build].file}: ${stamp.builds[build].bytes} bytes`);
    const others = otherDigests(committed);
    if (others) console.warn(others);
  }
} catch (error) {
  if (!(error instanceof Stop)) throw error;
  console.error(`build:wasm: ${error.message}`);
  process.exitCode = 1;
}
