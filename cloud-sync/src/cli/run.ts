/** `rivulet-cloud run`: opens the state directory, starts the coordinator and its server, and stops both cleanly. */
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  loadCore,
  makeDirectory,
  openIdentity,
  parseDuration,
  RivuletError,
  readPem,
  readTls,
  systemClock,
  type TlsMaterial,
  toRivuletError,
} from '@rivulet/host';
import { answerAtBroker, type BrokerOptions } from '../api/broker.ts';
import { startServer } from '../api/server.ts';
import { type Coordinator, openCoordinator } from '../coordinator.ts';
import { openSqlite } from '../drivers/sqlite.ts';
import { mergesBy } from '../merge.ts';
import { openControl } from '../operate/control.ts';
import { startUpstream, type Upstream } from '../upstream/upstream.ts';
import { VERSION } from '../version.ts';

/** The stop is forced after this long: a supervisor would kill soon after. */
const STOP_MS_MAX = 2_500;

const CONSOLE_DIRECTORY = fileURLToPath(new URL('../../console/dist', import.meta.url));

interface Options {
  readonly state: string;
  readonly port: number;
  readonly host: string;
  readonly releaseEveryMs: number;
  readonly token: string | null;
  readonly tls: TlsMaterial | null;
  /** A broker where gateways are answered too. */
  readonly broker: Pick<BrokerOptions, 'url' | 'protocol' | 'tls'> | null;
  /** Null: all. */
  readonly tasks: ReadonlySet<string> | null;
  /** The coordinator above; null: releases are made here. */
  readonly upstream: {
    readonly url: string;
    readonly token: string | null;
    readonly everyMs: number;
    readonly tls: TlsMaterial | null;
  } | null;
  readonly core: 'auto' | 'scalar' | 'simd';
  readonly statusJson: boolean;
}

export async function run(argv: string[]): Promise<number> {
  const options = parseOptions(argv);
  process.umask(0o077); // the key and what gateways learned are the owner's
  await makeDirectory(options.state, 0o700);
  const core = await loadCore({ build: options.core });
  const store = openSqlite(join(options.state, 'coordinator.sqlite'));
  let coordinator: Coordinator | null = null;
  let upstream: Upstream | null = null;
  try {
    const identity = await openIdentity(join(options.state, 'identity'));
    coordinator = openCoordinator({
      store,
      openMerge: mergesBy(core),
      kernelHash: core.kernelHash,
      identity,
      clock: systemClock(),
      releaseEveryMs: options.releaseEveryMs,
      version: VERSION,
      ...(options.tasks === null ? {} : { tasks: options.tasks }),
      ...(options.upstream === null ? {} : { relays: (...report) => upstream?.reported(...report) }),
    });
    const print = printer(options);
    coordinator.subscribe((event) => {
      if (event.kind === 'failure') print.failure(event.error);
      if (event.kind === 'release') print.event({ event: 'release', ...event.release });
    });
    const server = await startServer({
      coordinator,
      version: VERSION,
      consoleDirectory: CONSOLE_DIRECTORY,
      ...options,
    });
    const broker =
      options.broker === null
        ? null
        : answerAtBroker({
            ...options.broker,
            server,
            sign: identity.signAhead,
            retryWindow: coordinator.retryWindow,
            failed: print.failure,
          });
    if (options.upstream !== null) {
      const keyFile = join(options.state, 'identity', 'upstream.key');
      upstream = startUpstream({ ...options.upstream, store, coordinator, keyFile, random: Math.random });
    }
    const control = await openControl(options.state, coordinator, print.failure);
    print.ready(server.url);
    await stopSignal();
    setTimeout(() => process.exit(0), STOP_MS_MAX).unref(); // everything is on disk already
    control.close();
    await upstream?.stop();
    await broker?.stop();
    await server.stop();
    const { deltas, releases, rss_mib } = coordinator.fleet().coordinator;
    print.event({ event: 'stopped', deltas, releases, rss_mib });
  } finally {
    coordinator?.stop();
    store.close();
  }
  return 0;
}

function parseOptions(argv: string[]): Options {
  const values = parsed(argv);
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new RivuletError('RIV_USAGE', { found: `--port ${values.port}`, expected: 'a number from 0 to 65535' });
  }
  const core = values.core;
  if (core !== 'auto' && core !== 'scalar' && core !== 'simd') {
    throw new RivuletError('RIV_USAGE', { found: `--core ${core}`, expected: 'auto, scalar or simd' });
  }
  return {
    state: resolve(named(values.state)),
    port,
    host: values.host,
    releaseEveryMs: parseDuration(values['release-every']),
    tls: tlsOf(values),
    broker: brokerOf(values),
    token: values.token ?? process.env.RIVULET_CLOUD_TOKEN ?? null,
    tasks: tasksOf(values.tasks),
    upstream: upstreamOf(values),
    core,
    statusJson: values['status-json'],
  };
}

/** Null: all tasks are taken. */
function tasksOf(list: string | undefined): ReadonlySet<string> | null {
  if (list === undefined) return null;
  const names = list.split(',').map((name) => name.trim());
  if (names.includes('')) throw new RivuletError('RIV_USAGE', { found: `--tasks ${list}`, expected: 'NAME,NAME' });
  return new Set(names);
}

/** Null: there is none above. */
function upstreamOf(values: ReturnType<typeof parsed>): Options['upstream'] {
  const { upstream } = values;
  const files = {
    ca: values['upstream-ca'] ?? null,
    cert: values['upstream-cert'] ?? null,
    key: values['upstream-key'] ?? null,
  };
  const given = Object.values(files).some((file) => file !== null);
  if (upstream === undefined) {
    if (given) throw new RivuletError('RIV_USAGE', 'certificates of an upstream without --upstream URL');
    return null;
  }
  if (!URL.canParse(upstream) || !/^https?:$/.test(new URL(upstream).protocol)) {
    throw new RivuletError('RIV_USAGE', {
      found: '--upstream is no such URL',
      expected: 'https://HOST or http://HOST',
    });
  }
  const tls = given ? readTls(files, (file) => `--upstream-${file}`, 'RIV_CLOUD_TLS', systemClock().wallMs()) : null;
  const token = values['upstream-token'] ?? process.env.RIVULET_UPSTREAM_TOKEN ?? null;
  return { url: upstream.replace(/\/+$/, ''), token, everyMs: parseDuration(values['upstream-every']), tls };
}

/** Null: plain HTTP. */
function tlsOf(values: { 'tls-cert'?: string; 'tls-key'?: string; 'tls-ca'?: string }): TlsMaterial | null {
  const files = { cert: values['tls-cert'] ?? null, key: values['tls-key'] ?? null, ca: values['tls-ca'] ?? null };
  if (files.cert === null && files.key === null && files.ca === null) return null;
  if (files.cert === null || files.key === null) {
    throw new RivuletError('RIV_USAGE', 'TLS needs both --tls-cert and --tls-key');
  }
  return readTls(files, (file) => `--tls-${file}`, 'RIV_CLOUD_TLS', systemClock().wallMs());
}

/** Null: gateways come over HTTP only. */
function brokerOf(values: { mqtt?: string; 'mqtt-protocol': string; 'mqtt-ca'?: string }): Options['broker'] {
  const { mqtt: url, 'mqtt-protocol': protocol, 'mqtt-ca': ca } = values;
  if (url === undefined) return null;
  if (!URL.canParse(url) || !/^mqtts?:$/.test(new URL(url).protocol)) {
    throw new RivuletError('RIV_USAGE', { found: '--mqtt is no such URL', expected: 'mqtt://HOST or mqtts://HOST' });
  }
  if (protocol !== '4' && protocol !== '5') {
    throw new RivuletError('RIV_USAGE', { found: `--mqtt-protocol ${protocol}`, expected: '4 (3.1.1) or 5' });
  }
  const tls = ca === undefined ? null : { ca: readPem(ca, '--mqtt-ca') };
  return { url, protocol: protocol === '5' ? 5 : 4, tls };
}

function parsed(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      options: {
        state: { type: 'string', default: join('rivulet-state', 'coordinator') },
        port: { type: 'string', default: '8787' },
        host: { type: 'string', default: '127.0.0.1' },
        'release-every': { type: 'string', default: '5s' },
        token: { type: 'string' },
        'tls-cert': { type: 'string' },
        'tls-key': { type: 'string' },
        'tls-ca': { type: 'string' },
        mqtt: { type: 'string' },
        'mqtt-protocol': { type: 'string', default: '4' },
        'mqtt-ca': { type: 'string' },
        tasks: { type: 'string' },
        upstream: { type: 'string' },
        'upstream-token': { type: 'string' },
        'upstream-every': { type: 'string', default: '10s' },
        'upstream-ca': { type: 'string' },
        'upstream-cert': { type: 'string' },
        'upstream-key': { type: 'string' },
        core: { type: 'string', default: 'auto' },
        'status-json': { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new RivuletError('RIV_USAGE', (error as Error).message);
  }
}

function named(directory: string): string {
  if (directory === '') throw new RivuletError('RIV_USAGE', '--state wants the name of a directory');
  return directory;
}

function printer({ statusJson, state }: Options) {
  const event = (content: object) => {
    if (statusJson) process.stdout.write(`${JSON.stringify(content)}\n`);
  };
  return {
    event,
    ready(url: string) {
      if (statusJson) event({ event: 'ready', url, state });
      else process.stdout.write(`The coordinator is at ${url} (state in ${state}). Ctrl-C stops it.\n`);
    },
    failure(error: unknown) {
      const { code, message } = toRivuletError(error);
      if (statusJson) event({ event: 'error', code, message });
      else process.stderr.write(`${code}: ${message}\n`);
    },
  };
}

function stopSignal(): Promise<void> {
  return new Promise((stop) => {
    process.once('SIGINT', () => stop());
    process.once('SIGTERM', () => stop());
  });
}
