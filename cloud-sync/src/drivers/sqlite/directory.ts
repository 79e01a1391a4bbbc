/** Who is enrolled and what they last said, in SQLite. */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { Directory, GatewayRecord } from '../store.ts';
import { type Forgetful, remembered } from './remembered.ts';

type Gateways = Pick<
  Directory,
  'gateways' | 'enrol' | 'seeIncarnation' | 'incarnations' | 'reportNumbers' | 'noteReport' | 'saw'
>;

export function sqliteDirectory(db: DatabaseSync, forgetful: Forgetful): Gateways {
  const known = remembered<readonly string[]>(forgetful);
  const all = db.prepare('SELECT * FROM gateways ORDER BY id');
  const insert = db.prepare(
    `INSERT INTO gateways (id, public_key, about, simulated, enrolled_ms, last_seen_ms, report) VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const seeIncarnation = db.prepare(
    `INSERT INTO incarnations (gateway, incarnation, rank)
     SELECT ?1, ?2, (SELECT count(*) FROM incarnations WHERE gateway = ?1)
     ON CONFLICT (gateway, incarnation) DO NOTHING`,
  );
  const incarnations = db.prepare('SELECT incarnation FROM incarnations WHERE gateway = ? ORDER BY rank');
  const numbers = db.prepare('SELECT incarnation, reported FROM incarnations WHERE gateway = ?');
  const noteReport = db.prepare('UPDATE incarnations SET reported = ? WHERE gateway = ? AND incarnation = ?');
  const knownNumbers = remembered<ReadonlyMap<string, number>>(forgetful);
  const saw = db.prepare('UPDATE gateways SET last_seen_ms = ?, report = coalesce(?, report) WHERE id = ?');
  const incarnationsOf = (gateway: string) =>
    known.get(gateway, () => incarnations.all(gateway).map((row) => row.incarnation as string));
  return {
    gateways: () => all.all().map(gatewayOf),
    enrol(gateway, incarnation) {
      const { id, publicKey, about, simulated, enrolledMs, lastSeenMs, report } = gateway;
      insert.run(id, publicKey, about, simulated ? 1 : 0, enrolledMs, lastSeenMs, report);
      seeIncarnation.run(id, incarnation);
      known.drop(id);
      knownNumbers.drop(id);
    },
    seeIncarnation(gateway, incarnation) {
      if (incarnationsOf(gateway).includes(incarnation)) return;
      seeIncarnation.run(gateway, incarnation);
      known.drop(gateway);
      knownNumbers.drop(gateway);
    },
    incarnations: incarnationsOf,
    reportNumbers: (gateway) =>
      knownNumbers.get(
        gateway,
        () => new Map(numbers.all(gateway).map((row) => [row.incarnation as string, row.reported as number])),
      ),
    noteReport(gateway, incarnation, number) {
      noteReport.run(number, gateway, incarnation);
      knownNumbers.drop(gateway);
    },
    saw: (gateway, atMs, report) => void saw.run(atMs, report, gateway),
  };
}

function gatewayOf(row: Record<string, SQLOutputValue>): GatewayRecord {
  return {
    id: row.id as string,
    publicKey: row.public_key as Uint8Array,
    about: row.about as string,
    simulated: row.simulated === 1,
    enrolledMs: row.enrolled_ms as number,
    lastSeenMs: row.last_seen_ms as number,
    report: row.report as string | null,
  };
}
