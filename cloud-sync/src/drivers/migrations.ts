/**
 * The SQLite tables, as a list of steps: step n brings a file from `user_version` n to n + 1. A step that has been
 * released is never changed; what must change is added as the next step.
 */

/** In order; the length of the list is the version this program writes. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE gateways (
    id TEXT PRIMARY KEY,
    public_key BLOB NOT NULL,
    about TEXT NOT NULL,
    simulated INTEGER NOT NULL,
    enrolled_ms INTEGER NOT NULL,
    last_seen_ms INTEGER NOT NULL,
    report TEXT
  ) STRICT, WITHOUT ROWID;

  -- rank: the order in which a gateway's incarnations were first seen
  CREATE TABLE incarnations (
    gateway TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    rank INTEGER NOT NULL,
    PRIMARY KEY (gateway, incarnation)
  ) STRICT, WITHOUT ROWID;

  -- the delta log: one short row per delta; the statistics live in contributions as long as they are the newest
  CREATE TABLE deltas (
    offset INTEGER PRIMARY KEY AUTOINCREMENT,
    gateway TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    seq INTEGER NOT NULL,
    task TEXT NOT NULL,
    schema TEXT NOT NULL,
    payload_hash TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT,
    received_ms INTEGER NOT NULL,
    UNIQUE (gateway, incarnation, seq)
  ) STRICT;
  CREATE INDEX deltas_by_gateway ON deltas (gateway, offset);

  CREATE TABLE contributions (
    schema TEXT NOT NULL,
    gateway TEXT NOT NULL,
    task TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    seq INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    statistics BLOB NOT NULL,
    PRIMARY KEY (schema, gateway)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX contributions_by_gateway ON contributions (gateway);

  CREATE TABLE heads (
    schema TEXT PRIMARY KEY,
    task TEXT NOT NULL,
    schema_text TEXT NOT NULL,
    form INTEGER NOT NULL,
    release TEXT,
    release_offset INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    releases INTEGER NOT NULL,
    revision INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE blobs (hash TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE releases (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    hash TEXT NOT NULL UNIQUE,
    parent TEXT,
    task TEXT NOT NULL,
    schema TEXT NOT NULL,
    form INTEGER NOT NULL,
    gateways INTEGER NOT NULL,
    rows REAL NOT NULL,
    created_ms INTEGER NOT NULL,
    lineage TEXT NOT NULL
  ) STRICT;
  CREATE INDEX releases_by_schema ON releases (schema, ordinal);
  CREATE INDEX releases_by_task ON releases (task, ordinal);

  CREATE TABLE curve_points (
    gateway TEXT NOT NULL,
    task TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    matured INTEGER NOT NULL,
    error_sum REAL NOT NULL,
    baseline_sum REAL NOT NULL,
    PRIMARY KEY (gateway, task, ordinal)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE quarantine (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    gateway TEXT,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    bytes BLOB NOT NULL
  ) STRICT;

  CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- what gateways are told is pinned, else release; previous is what they were told before
  ALTER TABLE heads ADD COLUMN pinned TEXT;
  ALTER TABLE heads ADD COLUMN previous TEXT;

  CREATE TABLE forgotten (gateway TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  -- what operators decided, for good: detail is JSON
  CREATE TABLE audit (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
  ) STRICT;
  `,
  `
  -- who stands apart in the newest release of a model, and is not in it
  CREATE TABLE suspects (
    schema TEXT NOT NULL,
    gateway TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    distance REAL NOT NULL,
    limit_ REAL NOT NULL,
    rows REAL NOT NULL,
    PRIMARY KEY (schema, gateway)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- true for a gateway that fitted before: its world has changed, nobody says that it lies
  ALTER TABLE suspects ADD COLUMN moved INTEGER NOT NULL DEFAULT 0;

  -- gateways that were judged once, in a fleet that is one world, and fitted
  CREATE TABLE fitted (
    schema TEXT NOT NULL,
    gateway TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    PRIMARY KEY (schema, gateway, incarnation)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- models that a gateway was taken out of: what was learned on top of their releases is not used any more
  CREATE TABLE removable_only (schema TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

  -- what operators decided about gateways, whatever the class-mean test says
  CREATE TABLE overrides (gateway TEXT PRIMARY KEY, trusted INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- gateways that live twice with one key: nothing they hand in counts until an operator has seen to it
  CREATE TABLE clones (gateway TEXT PRIMARY KEY, since_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- the number of an incarnation's newest report; 0: it has given none
  ALTER TABLE incarnations ADD COLUMN reported INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- cores whose statistics are taken, by the hash of their sources in hex: those that this coordinator has run, and those an operator named
  CREATE TABLE kernels (hash TEXT PRIMARY KEY, since_ms INTEGER NOT NULL, own INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- the last contribution of each of a gateway's newest days before the present one: what can be gone back to
  CREATE TABLE earlier (
    schema TEXT NOT NULL,
    gateway TEXT NOT NULL,
    received_ms INTEGER NOT NULL,
    task TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    seq INTEGER NOT NULL,
    statistics BLOB NOT NULL,
    PRIMARY KEY (schema, gateway, received_ms)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- the unique numbers of a gateway begin with its id: they are index enough
  DROP INDEX deltas_by_gateway;
  `,
  `
  -- of a coordinator with another one above it: what its gateways said when they enrolled, and the newest envelope of each
  -- model of theirs; held: the one above has signed for it
  CREATE TABLE relay_enrolments (gateway TEXT PRIMARY KEY, body TEXT NOT NULL, signature TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE relay (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    gateway TEXT NOT NULL,
    schema TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    seq INTEGER NOT NULL,
    held INTEGER NOT NULL DEFAULT 0,
    envelope BLOB NOT NULL,
    UNIQUE (gateway, schema)
  ) STRICT;
  `,
  `
  -- the release that statistics go on from; null: none, or statistics of before this was kept
  ALTER TABLE contributions ADD COLUMN base TEXT;
  ALTER TABLE earlier ADD COLUMN base TEXT;
  `,
];
