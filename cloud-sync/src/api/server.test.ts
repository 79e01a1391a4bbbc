import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CoordinatorUnderTest, startCoordinator, until } from '../../../test/support/coordinator.ts';
import { advance, beat, newFleet, postEnrolment, postReport, schemaHash } from '../../../test/support/fleet.ts';
import { openApiDocument } from './openapi.ts';
import { type Route, routesOf } from './routes.ts';
import type { CurveView, FleetView, GatewayDetailView, ModelView, ReleaseView } from './views.ts';

let cloud: CoordinatorUnderTest;
let directory: string;
const fleet = newFleet();
const [north] = fleet as [(typeof fleet)[0], ...typeof fleet];
const [temperature] = north.tasks as [(typeof north.tasks)[0]];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'rivulet-console-'));
  mkdirSync(join(directory, 'assets'));
  writeFileSync(join(directory, 'index.html'), '<!doctype html><title>Rivulet</title>');
  writeFileSync(join(directory, 'assets', 'index-B4x9_kQz.js'), 'export {};');
  cloud = await startCoordinator({ consoleDirectory: directory, eventTimes: { fleetMs: 20, heartbeatMs: 50 } });
  for (const gateway of fleet) await postEnrolment(cloud.url, gateway);
  for (let i = 0; i < 12; i++) for (const gateway of fleet) await beat(cloud.url, gateway);
  await until(() => cloud.coordinator.models().every(({ head }) => head !== null), 'releases of all models');
});

afterAll(async () => {
  await cloud.stop();
  rmSync(directory, { recursive: true });
});

async function read<T>(path: string): Promise<T> {
  return (await (await fetch(cloud.url + path)).json()) as T;
}

async function refusal(path: string, init?: RequestInit): Promise<[number, string]> {
  const answer = await fetch(cloud.url + path, init);
  expect(answer.headers.get('content-type')).toMatch('application/json');
  return [answer.status, ((await answer.json()) as { error: { code: string } }).error.code];
}

describe('the fleet', () => {
  it('is told in one sentence and in figures that add up', async () => {
    const view = await read<FleetView>('/api/v1/fleet');
    expect(view.sentence).toMatch(/^3 of 3 gateways are up; .* messages\/s; .*temp_in_30m is \d+ % /);
    expect([view.gateways_up, view.gateways_total]).toEqual([3, 3]);
    expect(view.gateways.map(({ id }) => id)).toEqual(['building-north', 'building-south', 'this-machine']);
    for (const { ledger } of view.gateways) {
      const { received, ...parts } = ledger;
      expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(received);
    }
    expect(view.coordinator.deltas).toBe(12);
    const task = view.gateways[0]?.tasks[0];
    const sums = north.sums.get('temp_in_30m');
    expect(task?.error).toBeCloseTo((sums?.error ?? 0) / (sums?.matured ?? 1));
  });

  it('shows a gateway with the deltas it has a part with', async () => {
    const view = await read<GatewayDetailView>('/api/v1/gateways/building-north');
    expect(view.contributions.map(({ task, seq }) => [task, seq])).toEqual([
      ['occupied', 4],
      ['temp_in_30m', 3],
    ]);
    expect(view.incarnations).toEqual([north.incarnation.toString('hex')]);
    expect(await refusal('/api/v1/gateways/nobody')).toEqual([404, 'RIV_NOT_FOUND']);
  });

  it('shows models with their gateways and features', async () => {
    const models = await read<ModelView[]>('/api/v1/tasks');
    expect(models.map(({ task, gateways }) => [task, gateways.length])).toEqual([
      ['load_in_30s', 1],
      ['occupied', 2],
      ['temp_in_30m', 2],
      ['unusual', 1],
    ]);
    expect(models.find(({ task }) => task === 'temp_in_30m')).toMatchObject({
      schema: schemaHash(temperature),
      features: temperature.features,
      horizon_ms: 1_800_000,
    });
  });

  it('shows learning curves, of one gateway or all', async () => {
    const all = await read<CurveView>('/api/v1/tasks/temp_in_30m/curve');
    expect(new Set(all.points.map(({ gateway }) => gateway))).toEqual(new Set(['building-north', 'building-south']));
    const one = await read<CurveView>('/api/v1/tasks/temp_in_30m/curve?gateway=building-north&points=4');
    expect(one.points.length).toBeLessThanOrEqual(4);
    expect(one.points.at(-1)?.matured).toBe(north.sums.get('temp_in_30m')?.matured);
    expect(await read<CurveView>('/api/v1/tasks/unheard%20of/curve')).toEqual({ task: 'unheard of', points: [] });
  });

  it('lists releases newest first, each with its parent', async () => {
    const releases = await read<ReleaseView[]>('/api/v1/releases?task=temp_in_30m');
    expect(releases.length).toBeGreaterThan(1);
    for (const [at, { parent }] of releases.entries()) expect(parent).toBe(releases[at + 1]?.hash ?? null);
    expect((await read<ReleaseView[]>('/api/v1/releases?limit=1')).length).toBe(1);
  });
});

describe('the description', () => {
  it('names every route that the server answers, and no other', async () => {
    const document = await read<{ openapi: string; paths: Record<string, Record<string, unknown>> }>(
      '/api/v1/openapi.json',
    );
    expect(document.openapi).toBe('3.1.0');
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const method of Object.keys(operations)) {
        const filled = path.replace('{hash}', 'f'.repeat(64)).replace('{id}', 'nobody').replace('{task}', 'none');
        if (path === '/api/v1/events') continue; // answered in the tests of events
        const answer = await fetch(cloud.url + filled, { method: method.toUpperCase() });
        const { error } = (await answer.json()) as { error?: { code: string; message: string } };
        expect([path, error?.code === 'RIV_METHOD', error?.message.startsWith('nothing is at')]).not.toContain(true);
      }
    }
    const routes = routesOf(cloud.coordinator, '0.0.0').map(({ method, path }) => `${method.toLowerCase()} ${path}`);
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method} ${path}`),
    );
    expect(described.sort()).toEqual(routes.sort());
  });

  it('has an answer for every reference, and a name of its own for every operation', () => {
    const document = openApiDocument(routesOf(cloud.coordinator, '0.0.0'), '0.0.0') as {
      components: { schemas: Record<string, unknown> };
    };
    const text = JSON.stringify(document);
    const references = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name as string);
    expect(references.length).toBeGreaterThan(20);
    for (const name of references) expect(document.components.schemas).toHaveProperty(name);
    const ids = [...text.matchAll(/"operationId":"(\w+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('describes what is really answered', async () => {
    const [release] = await read<[ReleaseView]>('/api/v1/releases?limit=1');
    const real: Record<string, string> = {
      '/api/v1/fleet': '/api/v1/fleet',
      '/api/v1/gateways/{id}': '/api/v1/gateways/building-north',
      '/api/v1/tasks': '/api/v1/tasks',
      '/api/v1/tasks/{task}/curve': '/api/v1/tasks/occupied/curve',
      '/api/v1/releases': '/api/v1/releases',
      '/api/v1/releases/{hash}/lineage': `/api/v1/releases/${release.hash}/lineage`,
      '/api/v1/quarantine': '/api/v1/quarantine',
      '/healthz': '/healthz',
    };
    for (const route of routesOf(cloud.coordinator, '0.0.0')) {
      const path = real[route.path];
      if (path !== undefined) expect([path, await mismatch(route, await read(path))]).toEqual([path, null]);
    }
  });
});

describe('a request that cannot be answered', () => {
  it('gets a coded error with the fitting status', async () => {
    const json = { 'content-type': 'application/json' };
    expect(await refusal('/api/v1/nothing')).toEqual([404, 'RIV_NOT_FOUND']);
    expect(await refusal('/../../etc/passwd')).toEqual([404, 'RIV_NOT_FOUND']);
    expect(await refusal('/assets/%2e%2e%2findex.html')).toEqual([404, 'RIV_NOT_FOUND']);
    expect(await refusal('/api/v1/fleet', { method: 'DELETE' })).toEqual([405, 'RIV_METHOD']);
    expect(await refusal('/api/v1/gateways/x', { method: 'POST' })).toEqual([405, 'RIV_METHOD']);
    expect(await refusal('/api/v1/deltas', { method: 'POST', headers: json, body: '{}' })).toEqual([
      415,
      'RIV_MEDIA_TYPE',
    ]);
    expect(await refusal('/api/v1/gateways', { method: 'POST', headers: json, body: '{' })).toEqual([
      400,
      'RIV_REQUEST',
    ]);
    expect(await refusal('/api/v1/gateways', { method: 'POST', headers: json, body: '[]' })).toEqual([
      400,
      'RIV_REQUEST',
    ]);
    const large = JSON.stringify({ gateway: 'x'.repeat(10_000) });
    expect(await refusal('/api/v1/gateways', { method: 'POST', headers: json, body: large })).toEqual([
      413,
      'RIV_TOO_LARGE',
    ]);
    expect(await refusal('/api/v1/releases/xyz')).toEqual([400, 'RIV_REQUEST']);
    expect(await refusal(`/api/v1/releases/${'0'.repeat(64)}`)).toEqual([404, 'RIV_RELEASE_UNKNOWN']);
    expect(await refusal('/api/v1/releases?limit=1000000')).toEqual([400, 'RIV_REQUEST']);
    expect(await refusal('/api/v1/releases?unknown=1')).toEqual([400, 'RIV_REQUEST']);
    expect(await refusal(`/api/v1/tasks/${'x'.repeat(300)}/curve`)).toEqual([400, 'RIV_REQUEST']);
    expect(await refusal('/api/v1/gateways/%zz')).toEqual([400, 'RIV_REQUEST']);
  });

  it('names the methods there are', async () => {
    const answer = await fetch(`${cloud.url}/api/v1/deltas`);
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
  });

  it('that is no HTTP at all gets a coded error too, and does not disturb the others', async () => {
    const { port } = new URL(cloud.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(Buffer.from([0, 255, 13, 10, 13, 10]));
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
    });
    await new Promise((closed) => socket.once('close', closed));
    expect(answer).toContain('RIV_REQUEST');
    expect(await read('/healthz')).toEqual({ status: 'ok' });
  });
});

describe('load', () => {
  it('of many slow uploads turns further ones away, and takes them again later', async () => {
    const uploads = Array.from({ length: 16 }, () => upload());
    const answered = await until(async () => {
      const [status, code] = await refusal('/api/v1/deltas', {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: 'short',
      });
      return status === 503 && code;
    }, 'the server to be full');
    expect(answered).toBe('RIV_OVERLOADED');
    expect(await read('/healthz')).toEqual({ status: 'ok' });
    for (const slow of uploads) slow.destroy();
    await until(async () => {
      const retry = { method: 'POST', headers: { 'content-type': 'application/octet-stream' }, body: 'short' };
      return (await fetch(`${cloud.url}/api/v1/deltas`, retry)).status === 400;
    }, 'room');
  });
});

describe('the console', () => {
  it('comes from here alone, and its hashed files are kept for good', async () => {
    const page = await fetch(`${cloud.url}/`);
    expect(await page.text()).toContain('<title>Rivulet</title>');
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/https?:|unsafe|\*/);
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    expect(page.headers.get('cache-control')).toBe('no-cache');
    const script = await fetch(`${cloud.url}/assets/index-B4x9_kQz.js`);
    expect(script.headers.get('content-type')).toMatch('text/javascript');
    expect(script.headers.get('cache-control')).toContain('immutable');
  });

  it('is not sent again when it has not changed', async () => {
    const page = await fetch(`${cloud.url}/`);
    const headers = { 'if-none-match': page.headers.get('etag') ?? '' };
    expect((await fetch(`${cloud.url}/`, { headers })).status).toBe(304);
  });

  it('says how to build it when it is not there', async () => {
    const bare = await startCoordinator();
    const page = await (await fetch(bare.url)).text();
    expect(page).toContain('npm run build:console');
    await bare.stop();
  });
});

describe('events', () => {
  it('bring the fleet at once, then what changes, and a heartbeat', async () => {
    const stream = await listen();
    const first = await stream.next('fleet');
    expect(first.gateways_total).toBe(3);
    advance(north, 10);
    await postReport(cloud.url, north);
    const next = await until(async () => {
      const event = await stream.next('fleet');
      return (event as unknown as FleetView).gateways[0]?.messages === north.messages && event;
    }, 'the fleet with the new report');
    expect(next).toBeTruthy();
    await until(() => stream.text().includes(': still here'), 'a heartbeat');
    const release = stream.next('release');
    while (north.step % 5 !== 4) advance(north);
    await beat(cloud.url, north);
    expect(await release).toMatchObject({ gateways: 2, form: 'ridge' });
    const newcomer = stream.next('gateway');
    await postEnrolment(cloud.url, { ...north, id: 'newcomer' });
    expect(await newcomer).toMatchObject({ id: 'newcomer', change: 'enrolled' });
    stream.close();
  });

  it('go to a bounded number of listeners', async () => {
    const streams = await Promise.all(Array.from({ length: 64 }, () => listen()));
    expect(await refusal('/api/v1/events')).toEqual([503, 'RIV_OVERLOADED']);
    for (const stream of streams) stream.close();
    const again = await until(
      async () => ((await fetch(`${cloud.url}/healthz`)).ok ? listen().catch(() => null) : null),
      'room',
    );
    expect(await again.next('fleet')).toHaveProperty('sentence');
    again.close();
  });
});

describe('the stop', () => {
  it('ends listeners and idle connections within a second', async () => {
    const other = await startCoordinator();
    const stream = await listen(other.url);
    await stream.next('fleet');
    const before = performance.now();
    await other.stop();
    expect(performance.now() - before).toBeLessThan(1_000);
    await stream.ended;
  });
});

/** Begins an upload and leaves it at that. */
function upload() {
  const headers = { 'content-type': 'application/octet-stream', 'content-length': 4 * 1024 * 1024 };
  const begun = request(`${cloud.url}/api/v1/deltas`, { method: 'POST', headers });
  begun.on('error', () => {});
  begun.write('x');
  return begun;
}

interface Listening {
  /** The data of the next event of that name that has not been handed out. */
  next(name: string): Promise<Record<string, unknown>>;
  text(): string;
  readonly ended: Promise<void>;
  close(): void;
}

/** Listens as a browser would. */
function listen(url = cloud.url): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const listening = get(`${url}/api/v1/events`, (answer) => {
      if (answer.statusCode !== 200) {
        answer.resume();
        reject(new Error(`status ${answer.statusCode}`));
        return;
      }
      expect(answer.headers['content-type']).toMatch('text/event-stream');
      let text = '';
      let read = 0;
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      const ended = new Promise<void>((end) => answer.once('close', () => end()));
      const take = (name: string) => {
        for (;;) {
          const end = text.indexOf('\n\n', read);
          if (end < 0) return null;
          const block = text.slice(read, end);
          read = end + 2;
          const data = /^data: (.*)$/m.exec(block)?.[1];
          if (block.includes(`event: ${name}\n`) && data !== undefined)
            return JSON.parse(data) as Record<string, unknown>;
        }
      };
      resolve({
        next: (name) => until(() => take(name), `an event ${name}`),
        text: () => text,
        ended,
        close: () => listening.destroy(),
      });
    });
    listening.on('error', reject);
  });
}

/** What of an answer does not fit the schema of its route; null: all of it fits. */
async function mismatch(route: Route, answer: unknown): Promise<string | null> {
  const app = Fastify({
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allowUnionTypes: true } },
  });
  const schema = { type: 'object', properties: { answer: route.answer.schema } };
  app.post('/', { schema: { body: schema } }, async () => ({ message: null }));
  const checked = await app.inject({ method: 'POST', url: '/', payload: { answer } as object });
  return (checked.json() as { message: string | null }).message;
}
