/**
 * The schema's history, in SQL that SQLite and PostgreSQL both read. A released entry never changes:
 * what comes later is appended. The version of a catalog is the number of entries applied to it.
 */
export const migrations: readonly (readonly string[])[] = [
  [
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
];
