/**
 * The console in a real Chromium, served by a real coordinator process that three gateways report to. Skipped with a
 * message where there is no Chromium; `CHROMIUM` names another than Debian's.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import axeCore from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { beat, call, type FleetGateway, newFleet, postEnrolment } from '../support/fleet.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

const WIDE = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };
const SMALL_PHONE = { width: 360, height: 740 };

const absent = !existsSync(CHROMIUM);
if (absent) console.warn(`skipped: no Chromium at ${CHROMIUM} (apt-get install chromium, or set CHROMIUM)`);

describe.skipIf(absent)('console', () => {
  let state: string;
  let coordinator: Coordinator;
  let fleet: FleetGateway[];
  let beats: NodeJS.Timeout;
  let browser: Browser;
  let context: BrowserContext | undefined;

  beforeAll(async () => {
    await build({ root: join(ROOT, 'cloud-sync/console'), logLevel: 'error' });
    state = await mkdtemp(join(tmpdir(), 'rivulet-console-'));
    coordinator = await startCoordinator(state, 0);
    fleet = newFleet();
    for (const gateway of fleet) await postEnrolment(coordinator.url, gateway);
    for (let round = 0; round < 40; round += 1) for (const gateway of fleet) await beat(coordinator.url, gateway);
    beats = setInterval(() => {
      // While a test has the coordinator stopped, gateways find nobody, as on a site.
      for (const gateway of fleet) beat(coordinator.url, gateway, 0.5).catch(() => undefined);
    }, 500);
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        '--no-sandbox',
        '--headless',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
      ],
    });
  }, 60_000);

  afterEach(async () => {
    await context?.close();
    context = undefined;
  });

  afterAll(async () => {
    clearInterval(beats);
    await browser?.close();
    if (coordinator !== undefined) await coordinator.stop();
    if (state !== undefined) await rm(state, { recursive: true, force: true });
  });

  /** A page with its complaints and requests on record. */
  async function open(path = '', options: { viewport?: typeof WIDE; colorScheme?: 'light' | 'dark' } = {}) {
    context = await browser.newContext({ viewport: WIDE, ...options });
    const page = await context.newPage();
    const complaints: string[] = [];
    const requests: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(`${coordinator.url}/${path}`);
    await page.getByText('Live').waitFor();
    return { page, complaints, requests };
  }

  test('shows_the_sentence_and_every_gateway_with_a_ledger_that_adds_up', async () => {
    const { page } = await open();
    const heading = page.getByRole('heading', { level: 1 });
    const told = async () => ((await call(coordinator.url, '/api/v1/fleet')) as { sentence: string }).sentence;
    await expect.poll(async () => shapeOf(await heading.innerText()) === shapeOf(await told())).toBe(true);
    // Read in one go: reports come all the time, and the cells of a row change together.
    const read = (): Promise<{ name: string; simulated: number; state: string; terms: string[]; sum: string }[]> =>
      page.evaluate(`[...document.querySelectorAll('table[aria-label="Gateways"] tbody tr')].map((row) => ({
        name: row.querySelector('.name a').innerText,
        simulated: row.querySelectorAll('.badge-simulated').length,
        state: row.querySelector('.updown').innerText,
        terms: [...row.querySelectorAll('td.term')].map((cell) => cell.innerText),
        sum: row.querySelector('td.sum').innerText,
      }))`);
    await expect.poll(async () => (await read()).length).toBe(fleet.length);
    const shown = await read();
    for (const gateway of fleet) {
      const row = shown.find(({ name }) => name === gateway.id);
      expect(row).toMatchObject({ simulated: gateway.simulated ? 1 : 0, state: 'up' });
      expect(row?.terms).toHaveLength(6);
      expect(row?.terms.reduce((sum, term) => sum + countOf(term), 0)).toBe(countOf(row?.sum ?? ''));
      expect(row?.sum).toContain('adds up');
    }
  });

  test('figures_move_on_without_moving_the_page', async () => {
    const { page } = await open();
    await page.locator('.u-over').first().waitFor();
    const received = page.locator('tfoot td.sum');
    const before = countOf(await received.innerText());
    await page.evaluate(`window.shift = 0; new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.shift += entry.value;
    }).observe({ type: 'layout-shift' })`);
    await expect.poll(async () => countOf(await received.innerText()), { timeout: 30_000 }).toBeGreaterThan(before);
    await page.waitForTimeout(3000);
    expect(await page.evaluate('window.shift')).toBeLessThan(0.02);
  });

  test('shows_each_task_with_its_curve_its_panel_and_its_releases', async () => {
    const { page } = await open();
    for (const name of new Set(fleet.flatMap((gateway) => gateway.tasks.map((task) => task.name)))) {
      const task = page.getByRole('region', { name: new RegExp(`^${name}\\b`) });
      await expect.poll(() => task.getByText(/(under|over|level with) the last (value|class)/).count()).toBe(1);
      await task.getByRole('img', { name: `Learning curve of ${name}` }).waitFor();
      await task.locator('.timeline code').first().waitFor();
      expect(await task.locator('.timeline .head code').first().innerText()).toMatch(/^[0-9a-f]{10}$/);
      expect(
        await task
          .getByRole('table', { name: `Panel of ${name}` })
          .locator('.of-release')
          .count(),
      ).toBe(1);
      await task.getByText('As a table').click();
      await expect
        .poll(() =>
          task
            .getByRole('table', { name: /as a table$/ })
            .locator('tbody tr')
            .count(),
        )
        .toBeGreaterThan(5);
    }
  });

  test('shows_what_was_not_taken_and_what_operators_decided', async () => {
    const headers = { 'content-type': 'application/octet-stream' };
    const refused = await fetch(`${coordinator.url}/api/v1/deltas`, { method: 'POST', headers, body: 'no envelope' });
    expect(refused.ok).toBe(false);
    const models = (await call(coordinator.url, '/api/v1/tasks')) as { task: string; newest: string | null }[];
    const pinned = models.find(({ task, newest }) => task === 'occupied' && newest !== null)?.newest as string;
    await operate(state, 'release', 'pin', pinned);
    try {
      const { page } = await open();
      const decisions = page.getByRole('table', { name: 'Decisions of operators' });
      await decisions.getByText('pin', { exact: true }).waitFor();
      expect(await decisions.getByText(`gateways are told ${pinned.slice(0, 10)}`).count()).toBe(1);
      const occupied = page.getByRole('region', { name: 'occupied' });
      await occupied
        .locator('li', { hasText: pinned.slice(0, 10) })
        .getByText('pinned')
        .first()
        .waitFor();
      const taken = page.getByRole('table', { name: 'Not taken by the coordinator' });
      await taken.getByText('RIV_').first().waitFor();
      expect(await axe(page)).toEqual([]);
    } finally {
      await operate(state, 'release', 'pin', 'newest', '--task', 'occupied');
    }
  });

  test('complains_of_nothing_and_asks_no_other_host', async () => {
    const { page, complaints, requests } = await open();
    await page.locator('.u-over').first().waitFor();
    await page.getByRole('link', { name: 'building-north' }).first().click();
    await page.getByRole('heading', { level: 1, name: 'building-north' }).waitFor();
    await page.waitForTimeout(1500);
    expect(complaints).toEqual([]);
    expect(requests.length).toBeGreaterThan(5);
    expect(requests.filter((url) => new URL(url).origin !== new URL(coordinator.url).origin)).toEqual([]);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const viewport of [WIDE, PHONE]) {
      for (const path of ['', '#/gateway/building-north']) {
        test(`axe_finds_nothing_in_${colorScheme}_at_${viewport.width}${path.replaceAll(/\W+/g, '_')}`, async () => {
          const { page } = await open(path, { viewport, colorScheme });
          await page.locator('.u-over').first().waitFor();
          expect(await axe(page)).toEqual([]);
        });
      }
    }
  }

  test('nothing_is_wider_than_a_small_phone', async () => {
    const { page } = await open('', { viewport: SMALL_PHONE });
    await page.locator('.u-over').first().waitFor();
    for (const part of await page.locator('summary').all()) await part.click();
    expect(await widthsOf(page)).toEqual([SMALL_PHONE.width, SMALL_PHONE.width]);
    await page.getByRole('link', { name: 'building-south' }).first().click();
    await page.getByRole('heading', { level: 1, name: 'building-south' }).waitFor();
    await page.locator('.u-over').first().waitFor();
    expect(await widthsOf(page)).toEqual([SMALL_PHONE.width, SMALL_PHONE.width]);
  });

  test('the_switch_changes_the_colours_and_is_remembered', async () => {
    const { page } = await open('', { colorScheme: 'light' });
    const light = await page.evaluate('getComputedStyle(document.body).backgroundColor');
    await page.getByRole('radio', { name: 'dark' }).check();
    const dark = await page.evaluate('getComputedStyle(document.body).backgroundColor');
    expect(dark).not.toBe(light);
    await page.reload();
    await page.getByText('Live').waitFor();
    expect(await page.getByRole('radio', { name: 'dark' }).isChecked()).toBe(true);
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe(dark);
  });

  test('a_gateway_has_a_page_of_its_own_and_the_way_back', async () => {
    const { page } = await open();
    await page.getByRole('link', { name: 'this-machine' }).first().click();
    await page.getByRole('heading', { level: 1, name: 'this-machine' }).waitFor();
    expect(await page.getByRole('heading', { level: 2 }).allInnerTexts()).toEqual(
      expect.arrayContaining(['Sources and their ledger', expect.stringContaining('load_in_30s')]),
    );
    expect(await page.getByText('building-north').count()).toBe(0);
    await page.getByRole('link', { name: 'Fleet' }).click();
    await page.getByRole('table', { name: 'Gateways' }).waitFor();
  });

  test('an_unknown_gateway_is_said_to_be_unknown', async () => {
    const { page } = await open('#/gateway/nobody');
    await page.getByRole('heading', { name: 'No gateway is called “nobody”.' }).waitFor();
  });

  test('by_keyboard_the_figures_are_one_step_away', async () => {
    const { page } = await open();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.tagName')).toBe('MAIN');
  });

  test('says_so_when_the_coordinator_is_killed_and_goes_on_when_it_is_back', async () => {
    const { page } = await open();
    const port = Number(new URL(coordinator.url).port);
    await coordinator.kill();
    await page.getByText('The coordinator does not answer.').waitFor();
    expect(await page.getByText('Disconnected').count()).toBe(1);
    expect(await page.getByText('was up').count()).toBe(fleet.length);
    expect(await axe(page)).toEqual([]);
    coordinator = await startCoordinator(state, port);
    // On a slow machine it has tried by itself before the button is reached, and the button is gone.
    const tryNow = page.getByRole('button', { name: 'Try now' });
    await tryNow.click({ timeout: 3000 }).catch(() => undefined);
    await page.getByText('Live').waitFor();
    await expect.poll(() => page.getByText('The coordinator does not answer.').count()).toBe(0);
  });
});

/** A command of an operator on the state directory of the running coordinator. */
async function operate(state: string, ...command: string[]): Promise<void> {
  const bin = join(ROOT, 'cloud-sync/bin/rivulet-cloud.js');
  await promisify(execFile)(process.execPath, [bin, ...command, '--state', state]);
}

interface Coordinator {
  url: string;
  /** At once, as a power cut would. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

async function startCoordinator(state: string, port: number): Promise<Coordinator> {
  const child: ChildProcess = spawn(
    process.execPath,
    [
      join(ROOT, 'cloud-sync/bin/rivulet-cloud.js'),
      'run',
      '--state',
      state,
      '--port',
      String(port),
      '--release-every',
      '2s',
      '--status-json',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const end = (signal: NodeJS.Signals) => async (): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  if (child.stdout === null) throw new Error('the coordinator was started with a pipe');
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as { event: string; url?: string };
    if (event.event !== 'ready' || event.url === undefined) continue;
    child.stdout.resume();
    return { url: event.url, kill: end('SIGKILL'), stop: end('SIGTERM') };
  }
  throw new Error('the coordinator ended before it was ready');
}

/** Violations as lines: rule, and the first element it names. */
async function axe(page: Page): Promise<string[]> {
  await page.evaluate(axeCore.source);
  const { violations } = (await page.evaluate('axe.run(document)')) as {
    violations: { id: string; nodes: { target: string[] }[] }[];
  };
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
}

function widthsOf(page: Page): Promise<unknown> {
  return page.evaluate('[document.documentElement.scrollWidth, document.documentElement.clientWidth]');
}

/** The figures in the sentence change between two looks; its words do not. */
function shapeOf(sentence: string): string {
  return sentence.replaceAll(/\d[\d,.]*/g, '#').replaceAll(/better|worse/g, 'compared');
}

function countOf(text: string): number {
  return Number(/[\d,]+/.exec(text)?.[0].replaceAll(',', ''));
}
