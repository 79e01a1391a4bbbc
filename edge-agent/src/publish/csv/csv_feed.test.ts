import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compilePlan, parseConfig } from '@rivulet/host';
import { afterAll, describe, expect, test } from 'vitest';
import { configText } from '../feed_config.ts';
import { createTableFeed, openPlayed, tableConfig } from './csv_feed.ts';
import type { GuessOptions } from './guess.ts';
import { timeIn } from './times.ts';

const directory = mkdtempSync(join(tmpdir(), 'rivulet-csv-'));
afterAll(() => rmSync(directory, { recursive: true }));

const GUESS: GuessOptions = { target: undefined, task: undefined, time: undefined, drop: [] };
const PLACE = { gateway: 'g', broker: 0, state: undefined, sync: undefined, syncEvery: undefined };

async function opened(name: string, text: string, options: Partial<GuessOptions> = {}) {
  const path = join(directory, name);
  writeFileSync(path, text);
  return openPlayed(path, { ...GUESS, ...options });
}

const AIR = `No,year,month,day,hour,PM2.5,TEMP,wd,station
1,2013,3,1,0,4,-0.7,NNW,Here
2,2013,3,1,1,8,NA,N,Here
3,2013,3,1,2,7,-1.1,NNW,Here
`;

const ROOM = `"date","Temperature","Light","Occupancy"
"1","2015-02-04 17:51:00",23.18,426,1
"2","2015-02-04 17:52:00",23.15,0,0
"3","2015-02-04 17:53:00",23.15,0,0
`;

describe('how a table is played', () => {
  test('air quality: calendar columns are the time, PM2.5 an hour ahead the task, text an index', async () => {
    const { plan, spacing_ms, key } = await opened('air.csv', AIR);
    expect(plan.fields.map((field) => field.field)).toEqual(['PM2_5', 'TEMP', 'wd']);
    expect([plan.task, plan.target.column, spacing_ms, key]).toEqual(['forecast', 'PM2.5', 3_600_000, 'air']);
    expect(plan.notes.join(' ')).toMatch(/No is left out: it numbers the rows.*station is left out: it has one value/);
    expect(plan.notes.join(' ')).toMatch(/wd is text: its 2 values are sent as 0 to 1/);
  });

  test('occupancy: a column of that name with 0 and 1 is the label, on a topic of its own', async () => {
    const played = await opened('room.csv', ROOM);
    expect([played.plan.task, played.plan.target.column]).toEqual(['classification', 'Occupancy']);
    const step = await createTableFeed(played, undefined).next();
    const ts = Date.UTC(2015, 1, 4, 17, 51);
    expect(step).toEqual({
      at: ts,
      messages: [
        {
          topic: 'rows/room',
          payload: JSON.stringify({ ts, seq: 0, Temperature: 23.18, Light: 426 }),
          kind: 'reading',
        },
        { topic: 'labels/room/Occupancy', payload: JSON.stringify({ ts, value: 1 }), kind: 'label' },
      ],
    });
  });

  test('what the user says goes before what is guessed', async () => {
    const options = { target: 'Light', task: 'forecast' as const, drop: ['Occupancy'] };
    const { plan } = await opened('said.csv', ROOM, options);
    expect([plan.task, plan.target.column]).toEqual(['forecast', 'Light']);
    expect(plan.fields.map((field) => field.column)).toEqual(['Temperature', 'Light']);
    await expect(opened('said.csv', ROOM, { target: 'Lihgt' })).rejects.toThrow(/no column "Lihgt".*Light/);
  });

  test('a table without a time gets one row a second, and says so', async () => {
    const played = await opened('plain.csv', 'a,value\n0.1,1.5\n0.2,2.5\n0.1,0.5\n');
    expect(played.plan.notes[0]).toMatch(/No time found/);
    const feed = createTableFeed(played, undefined);
    expect((await feed.next())?.at).toBe(Date.UTC(2025, 0, 1));
    expect((await feed.next())?.at).toBe(Date.UTC(2025, 0, 1) + 1000);
  });

  test('a missing value is left out of the payload', async () => {
    const feed = createTableFeed(await opened('missing.csv', AIR), { rows: 1 });
    expect(JSON.parse((await feed.next())?.messages[0]?.payload ?? '')).toEqual({
      ts: Date.UTC(2013, 2, 1, 1),
      seq: 1,
      PM2_5: 8,
      wd: 0, // N before NNW: by value, so that stations agree
    });
  });

  test('going on from a position gives the rest, with the same numbers', async () => {
    const played = await opened('rest.csv', AIR);
    const straight = createTableFeed(played, undefined);
    const first = await straight.next();
    const rest = createTableFeed(played, straight.position());
    expect(await rest.next()).toEqual(await straight.next());
    expect(first?.messages[0]?.payload).toContain('"seq":0');
  });

  test.each(['air', 'room'])('the configuration for %s compiles to a plan', async (name) => {
    const played = await opened(`${name}-config.csv`, name === 'air' ? AIR : ROOM);
    const config = parseConfig(configText(tableConfig(played, undefined), PLACE), 'x.yaml');
    expect(config.tasks.map((task) => task.name)).toEqual([name === 'air' ? 'pm2_5_in_1h' : 'occupancy']);
    expect(compilePlan(config).length).toBeGreaterThan(100);
  });
});

test('points in time are read with and without zone, as dates and as epochs', () => {
  const noon = Date.UTC(2025, 0, 31, 12);
  for (const cell of [
    '2025-01-31 12:00:00',
    '2025-01-31T12:00',
    '2025/1/31 12:00:00.000',
    '2025-01-31T13:00:00+01:00',
    '2025-01-31T10:30:00-0130',
    String(noon),
    String(noon / 1000),
  ]) {
    expect([cell, timeIn(cell)]).toEqual([cell, noon]);
  }
  for (const cell of ['', 'x', '12', '0.5', '2025', '31.01.2025']) expect(timeIn(cell)).toBeNaN();
});
