import { Failure } from "../core/failure.ts";

/**
 * One step of the schema. Programs of two versions may share a catalog, so a step only adds, and nothing that
 * a program before it would have to fill in (expand). What nobody needs any more is removed by a later step,
 * which names the oldest version that can do without it (contract).
 */
export interface Migration {
  /** In SQL that SQLite and PostgreSQL both read; the word `text` is a type and nothing else. */
  readonly statements: readonly string[];
  /** The lowest schema version whose programs can go on with a catalog after this step. */
  readonly oldestProgram: number;
}

export interface SchemaVersion {
  /** How many steps were applied. */
  readonly version: number;
  readonly oldestProgram: number;
}

const history: readonly Migration[] = [
  {
    oldestProgram: 1,
    statements: [
      `create table operations (
      id text primary key,
      kind text not null,
      project_id text not null,
      application text,
      request_id text not null,
      spec text not null,
      repository text not null,
      created_at_ms bigint not null,
      attempt integer not null,
      not_before_ms bigint,
      lease_owner text not null,
      lease_until_ms bigint not null,
      cancel_requested integer not null,
      finished_at_ms bigint,
      outcome text,
      failure text
    )`,
      "create index operations_open on operations (created_at_ms) where finished_at_ms is null",
      "create index operations_listed on operations (kind, project_id, created_at_ms)",
      "create index operations_listed_all on operations (kind, created_at_ms)",
      `create table tasks (
      operation_id text not null references operations (id),
      attempt integer not null,
      name text not null,
      state text not null,
      worker text,
      started_at_ms bigint not null,
      finished_at_ms bigint,
      progress text,
      recovery_point text,
      result text,
      failure text,
      primary key (operation_id, attempt, name)
    )`,
      `create table log_lines (
      operation_id text not null references operations (id),
      line_number integer not null,
      at text not null,
      level text not null,
      message text not null,
      primary key (operation_id, line_number)
    )`,
      `create table backups (
      project_id text not null,
      backup_id text not null,
      application text,
      repository text not null,
      created_at_ms bigint not null,
      outcome text,
      finished_at_ms bigint,
      stored_bytes bigint,
      verified_at_ms bigint,
      deleted_at_ms bigint,
      primary key (project_id, backup_id)
    )`,
      "create index backups_by_id on backups (backup_id)",
      "create index backups_by_project on backups (project_id, created_at_ms, backup_id)",
      "create index backups_by_time on backups (created_at_ms, backup_id)",
      "create index backups_open on backups (created_at_ms) where outcome is null",
      `create table backup_metadata (
      project_id text not null,
      backup_id text not null,
      metadata text not null,
      primary key (project_id, backup_id)
    )`,
      `create table restores (
      restore_id text primary key,
      backup_id text,
      plan text,
      approved_at_ms bigint,
      refusal text,
      retired_database text,
      retired_at_ms bigint,
      drop_due_at_ms bigint,
      dropped_at_ms bigint,
      claimed_until_ms bigint,
      undone text,
      undone_at_ms bigint
    )`,
      "create index restores_retired on restores (retired_at_ms) where retired_database is not null and dropped_at_ms is null",
    ],
  },
  {
    oldestProgram: 1,
    statements: ["alter table schema_version add column oldest_program integer not null default 1"],
  },
  {
    oldestProgram: 1,
    statements: [
      `create table backup_copies (
      project_id text not null,
      backup_id text not null,
      repository text not null,
      copied_at_ms bigint not null,
      primary key (project_id, backup_id, repository)
    )`,
      "create index backup_copies_by_place on backup_copies (repository)",
    ],
  },
  {
    // Lists count what they leave out, so an index must answer alone: without it, a hundred thousand rows are
    // read for every page. Narrow, because PostgreSQL reads the table instead of a wide one.
    oldestProgram: 1,
    statements: [
      "drop index backups_by_project",
      "drop index backups_by_time",
      "drop index backups_open",
      "create index backups_listed on backups (created_at_ms) where deleted_at_ms is null",
      "create index backups_listed_by_project on backups (project_id, created_at_ms) where deleted_at_ms is null",
      "create index backups_listed_by_outcome on backups (outcome, created_at_ms) where deleted_at_ms is null",
      "create index backups_listed_by_both on backups (project_id, outcome, created_at_ms) where deleted_at_ms is null",
      "create index backups_listed_by_application on backups (application, created_at_ms) where deleted_at_ms is null",
    ],
  },
  {
    oldestProgram: 1,
    statements: [
      `create table api_keys (
      id text primary key,
      name text not null,
      role text not null,
      projects text,
      secret_hash text not null unique,
      created_at_ms bigint not null,
      expires_at_ms bigint,
      revoked_at_ms bigint
    )`,
      `create table request_keys (
      key_id text not null,
      idempotency_key text not null,
      fingerprint text not null,
      operation_id text not null,
      created_at_ms bigint not null,
      primary key (key_id, idempotency_key)
    )`,
      "create index request_keys_by_time on request_keys (created_at_ms)",
    ],
  },
  {
    // From here on an operation may have no owner while it waits: a program that does not know that would take it
    // for one whose process died.
    oldestProgram: 6,
    statements: [
      "alter table operations add column admitted_at_ms bigint",
      "create index operations_admitted on operations (project_id, kind, admitted_at_ms) where admitted_at_ms is not null",
    ],
  },
  {
    oldestProgram: 6,
    statements: [
      `create table definitions (
      kind text not null,
      project_id text not null,
      name text not null,
      revision integer not null,
      spec text not null,
      created_at_ms bigint not null,
      changed_at_ms bigint not null,
      deleted_at_ms bigint,
      saved_revision integer,
      primary key (kind, project_id, name)
    )`,
    ],
  },
  {
    oldestProgram: 6,
    statements: [
      `create table store_waits (
      store text primary key,
      kind text not null,
      since_ms bigint not null,
      until_ms bigint not null,
      tries integer not null
    )`,
    ],
  },
  {
    oldestProgram: 6,
    statements: [
      "alter table operations add column environment text",
      "alter table backups add column environment text",
      "create index backups_listed_by_environment on backups (project_id, environment, created_at_ms) where deleted_at_ms is null",
    ],
  },
  {
    oldestProgram: 6,
    statements: [
      `create table schedule_slots (
      project_id text not null,
      schedule text not null,
      slot_ms bigint not null,
      cause text not null,
      outcome text not null,
      message text,
      operation_id text,
      recorded_at_ms bigint not null,
      primary key (project_id, schedule, cause, slot_ms)
    )`,
      "create index schedule_slots_by_operation on schedule_slots (operation_id) where operation_id is not null",
      "create index schedule_slots_recorded on schedule_slots (outcome, recorded_at_ms)",
    ],
  },
  {
    oldestProgram: 6,
    statements: [
      `create table deliveries (
      id text primary key,
      project_id text not null,
      name text not null,
      happening text not null,
      created_at_ms bigint not null,
      state text not null,
      due_at_ms bigint not null,
      tries integer not null,
      delivered_at_ms bigint,
      error text
    )`,
      "create index deliveries_due on deliveries (state, due_at_ms)",
      "create index deliveries_by_name on deliveries (project_id, name, created_at_ms)",
      "create index operations_by_end on operations (finished_at_ms)",
    ],
  },
  {
    oldestProgram: 6,
    statements: [
      "alter table operations add column held_places text",
      `create table known_places (
      place text primary key,
      names text not null,
      seen_at_ms bigint not null
    )`,
    ],
  },
];

/**
 * The schema's history. A released entry never changes: what comes later is appended. The version of a catalog
 * is the number of entries applied to it.
 */
const migrations: readonly (Migration & SchemaVersion)[] = history.map((step, index) => ({
  ...step,
  version: index + 1,
}));

/** What the one row of `schema_version` says; a catalog without it is new. */
export function parseSchemaVersion(row: Readonly<Record<string, unknown>> | undefined): SchemaVersion {
  const version = Number(row?.["version"] ?? 0);
  return { version, oldestProgram: Number(row?.["oldest_program"] ?? 1) };
}

/**
 * The steps a catalog lacks. None when a newer program made it and this one can go on beside that; throws
 * `catalog-too-new` when it cannot. `place` names the catalog. Pure.
 */
export function nextMigrations(found: SchemaVersion, place: string): readonly (Migration & SchemaVersion)[] {
  const known = migrations.length;
  if (found.oldestProgram > known) {
    throw new Failure(
      "catalog-too-new",
      `The catalog ${place} has schema version ${found.version}, which needs an lc2 that knows version ` +
        `${found.oldestProgram}; this one knows up to ${known}. Use the newer lc2 that wrote it, or another catalog.`,
    );
  }
  return migrations.slice(found.version);
}
