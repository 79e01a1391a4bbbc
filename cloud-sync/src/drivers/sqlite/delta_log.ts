/**
 * The delta log in SQLite: a short row per delta for good measure of repeats, and the statistics only while they are
 * the newest of their gateway (they are cumulative, so an older one adds nothing).
 */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { Contribution, Delta, DeltaLog, Directory, Standing } from '../store.ts';
import { type Forgetful, remembered } from './remembered.ts';

/**
 * Rows kept per gateway. A repeat of something older is answered "superseded" instead of "duplicate", which ends the
 * matter for the gateway just the same; so the file does not grow with uptime.
 */
const ROWS_PER_GATEWAY_MAX = 1_000;
/** Days of a gateway that one can go back to, and bytes of statistics that are kept for that; one day always is. */
const EARLIER_MAX = 7;
const EARLIER_BYTES_MAX = 1024 * 1024;
const DAY_MS = 86_400_000;
/** Rows over the limit that are let stand before they are deleted together. */
const PRUNE_SLACK = 100;

export function sqliteDeltaLog(
  db: DatabaseSync,
  forgetful: Forgetful,
  directory: Pick<Directory, 'incarnations'>,
): DeltaLog {
  const known = remembered<Omit<Contribution, 'statistics'>[]>(forgetful);
  const byNumber = db.prepare(
    'SELECT outcome, reason, payload_hash FROM deltas WHERE gateway = ? AND incarnation = ? AND seq = ?',
  );
  const insert = db.prepare(
    `INSERT INTO deltas (gateway, incarnation, seq, task, schema, payload_hash, outcome, reason, received_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const replace = db.prepare(
    `INSERT INTO contributions (schema, gateway, task, incarnation, seq, received_ms, statistics, base)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (schema, gateway) DO UPDATE SET
       incarnation = excluded.incarnation, seq = excluded.seq,
       received_ms = excluded.received_ms, statistics = excluded.statistics, base = excluded.base`,
  );
  const ofModel = db.prepare('SELECT * FROM contributions WHERE schema = ? ORDER BY gateway');
  const lineage = db.prepare('SELECT gateway, incarnation, seq FROM contributions WHERE schema = ? ORDER BY gateway');
  const ofGateway = db.prepare(
    'SELECT schema, gateway, task, incarnation, seq, received_ms FROM contributions WHERE gateway = ? ORDER BY task, schema',
  );
  const withdraw = db.prepare('DELETE FROM contributions WHERE schema = ? AND gateway = ?');
  const keep = db.prepare(
    `INSERT OR REPLACE INTO earlier (schema, gateway, received_ms, task, incarnation, seq, statistics, base)
     SELECT schema, gateway, received_ms, task, incarnation, seq, statistics, base FROM contributions
     WHERE schema = ? AND gateway = ?`,
  );
  const keepFew = db.prepare(
    `DELETE FROM earlier WHERE schema = ?1 AND gateway = ?2 AND received_ms <=
       (SELECT received_ms FROM earlier WHERE schema = ?1 AND gateway = ?2 ORDER BY received_ms DESC LIMIT 1 OFFSET ?3)`,
  );
  const before = db.prepare(
    'SELECT * FROM earlier WHERE schema = ? AND gateway = ? AND received_ms < ? ORDER BY received_ms DESC LIMIT 1',
  );
  const forgetFrom = db.prepare('DELETE FROM earlier WHERE schema = ? AND gateway = ? AND received_ms >= ?');
  const rows = db.prepare('SELECT count(*) AS n FROM deltas WHERE gateway = ?');
  const prune = db.prepare(
    `DELETE FROM deltas WHERE gateway = ?1 AND offset <=
       (SELECT offset FROM deltas WHERE gateway = ?1 ORDER BY offset DESC LIMIT 1 OFFSET ${ROWS_PER_GATEWAY_MAX})`,
  );

  function rankOf(gateway: string, incarnation: string): number {
    const rank = directory.incarnations(gateway).indexOf(incarnation);
    return rank < 0 ? Number.MAX_SAFE_INTEGER : rank;
  }

  /** What is about to be replaced is kept when it is the last of its day. */
  function keepLastOfDay({ schema, gateway, receivedMs, statistics }: Delta): void {
    const last = contributionsOf(gateway).find((contribution) => contribution.schema === schema);
    if (last === undefined || Math.floor(last.receivedMs / DAY_MS) === Math.floor(receivedMs / DAY_MS)) return;
    keep.run(schema, gateway);
    const few = Math.floor(EARLIER_BYTES_MAX / Math.max(1, statistics.length));
    keepFew.run(schema, gateway, Math.max(1, Math.min(EARLIER_MAX, few)));
  }

  const contributionsOf = (gateway: string) => known.get(gateway, () => ofGateway.all(gateway).map(contributionOf));

  return {
    standing({ gateway, incarnation, seq, schema, payloadHash }): Standing {
      const same = byNumber.get(gateway, incarnation, seq);
      if (same !== undefined) return same.payload_hash === payloadHash ? 'duplicate' : 'conflict';
      const newest = contributionsOf(gateway).find((contribution) => contribution.schema === schema);
      if (newest === undefined) return 'newest';
      const ranks = rankOf(gateway, incarnation) - rankOf(gateway, newest.incarnation);
      return ranks > 0 || (ranks === 0 && seq > newest.seq) ? 'newest' : 'superseded';
    },
    append(delta, outcome, reason) {
      const { gateway, incarnation, seq, task, schema, payloadHash, receivedMs } = delta;
      const written = insert.run(gateway, incarnation, seq, task, schema, payloadHash, outcome, reason, receivedMs);
      if (outcome === 'accepted') {
        keepLastOfDay(delta);
        replace.run(schema, gateway, task, incarnation, seq, receivedMs, delta.statistics, delta.base ?? null);
        const own = contributionsOf(gateway);
        const at = own.findIndex((contribution) => contribution.schema === schema);
        if (at < 0) known.drop(gateway);
        else known.set(gateway, own.with(at, { schema, gateway, task, incarnation, seq, receivedMs }));
      }
      const offset = Number(written.lastInsertRowid);
      if (offset % PRUNE_SLACK === 0 && Number(rows.get(gateway)?.n) > ROWS_PER_GATEWAY_MAX) prune.run(gateway);
      return offset;
    },
    outcome(gateway, incarnation, seq) {
      const row = byNumber.get(gateway, incarnation, seq);
      return row === undefined ? null : { outcome: row.outcome as string, reason: row.reason as string | null };
    },
    contributions: (schema) => ofModel.all(schema).map(contributionOf),
    lineage: (schema) =>
      lineage.all(schema).map((row) => ({
        gateway: row.gateway as string,
        incarnation: row.incarnation as string,
        seq: row.seq as number,
      })),
    contributionsOf,
    earlier(schema, gateway, beforeMs) {
      const row = before.get(schema, gateway, beforeMs);
      return row === undefined ? null : contributionOf(row);
    },
    goBack({ schema, gateway, task, incarnation, seq, receivedMs, statistics, base }) {
      replace.run(schema, gateway, task, incarnation, seq, receivedMs, statistics, base ?? null);
      forgetFrom.run(schema, gateway, receivedMs);
      known.drop(gateway);
    },
    withdraw(schema, gateway) {
      withdraw.run(schema, gateway);
      forgetFrom.run(schema, gateway, 0);
      known.drop(gateway);
    },
  };
}

function contributionOf(row: Record<string, SQLOutputValue>): Contribution {
  return {
    schema: row.schema as string,
    gateway: row.gateway as string,
    task: row.task as string,
    incarnation: row.incarnation as string,
    seq: row.seq as number,
    receivedMs: row.received_ms as number,
    statistics: (row.statistics as Uint8Array | undefined) ?? new Uint8Array(),
    ...(typeof row.base === 'string' ? { base: row.base } : {}),
  };
}
