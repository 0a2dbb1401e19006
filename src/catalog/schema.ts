import type { ColumnType } from "kysely";

/** The catalog's tables as queries see them. JSON is text, instants are milliseconds since the epoch. */
export interface CatalogTables {
  operations: OperationsTable;
  tasks: TasksTable;
  log_lines: LogLinesTable;
  backups: BackupsTable;
  backup_metadata: BackupMetadataTable;
  backup_copies: BackupCopiesTable;
  restores: RestoresTable;
  api_keys: ApiKeysTable;
  request_keys: RequestKeysTable;
  store_waits: StoreWaitsTable;
  definitions: DefinitionsTable;
  schedule_slots: ScheduleSlotsTable;
  deliveries: DeliveriesTable;
  known_places: KnownPlacesTable;
}

/** PostgreSQL's driver returns 64-bit integers as text; `Number()` at every read makes both alike. */
type Integer = ColumnType<number | string, number, number>;
type NullableInteger = ColumnType<number | string | null, number | null | undefined, number | null>;
type NullableText = ColumnType<string | null, string | null | undefined, string | null>;

export interface OperationsTable {
  id: string;
  kind: string;
  project_id: string;
  application: NullableText;
  environment: NullableText;
  request_id: string;
  spec: string;
  repository: string;
  created_at_ms: Integer;
  attempt: Integer;
  not_before_ms: NullableInteger;
  /** Empty while the operation waits for its turn. */
  lease_owner: string;
  /** By the catalog's lease clock. */
  lease_until_ms: Integer;
  /** 0 or 1. */
  cancel_requested: Integer;
  finished_at_ms: NullableInteger;
  outcome: NullableText;
  failure: NullableText;
  admitted_at_ms: NullableInteger;
  /** JSON: names of the places that it works on, once they are known. */
  held_places: NullableText;
}

export interface TasksTable {
  operation_id: string;
  attempt: Integer;
  name: string;
  state: string;
  worker: NullableText;
  started_at_ms: Integer;
  finished_at_ms: NullableInteger;
  progress: NullableText;
  recovery_point: NullableText;
  result: NullableText;
  failure: NullableText;
}

export interface LogLinesTable {
  operation_id: string;
  line_number: Integer;
  at: string;
  level: string;
  message: string;
}

export interface BackupsTable {
  project_id: string;
  backup_id: string;
  application: NullableText;
  environment: NullableText;
  repository: string;
  created_at_ms: Integer;
  outcome: NullableText;
  finished_at_ms: NullableInteger;
  stored_bytes: NullableInteger;
  verified_at_ms: NullableInteger;
  deleted_at_ms: NullableInteger;
}

/** Apart from `backups`, so that lists read short rows. */
export interface BackupMetadataTable {
  project_id: string;
  backup_id: string;
  metadata: string;
}

/** Places of a backup beside the one that its row in `backups` names. */
export interface BackupCopiesTable {
  project_id: string;
  backup_id: string;
  repository: string;
  copied_at_ms: Integer;
}

export interface RestoresTable {
  restore_id: string;
  backup_id: NullableText;
  plan: NullableText;
  approved_at_ms: NullableInteger;
  refusal: NullableText;
  retired_database: NullableText;
  retired_at_ms: NullableInteger;
  drop_due_at_ms: NullableInteger;
  dropped_at_ms: NullableInteger;
  claimed_until_ms: NullableInteger;
  undone: NullableText;
  undone_at_ms: NullableInteger;
}

export interface ApiKeysTable {
  id: string;
  name: string;
  role: string;
  projects: NullableText;
  secret_hash: string;
  created_at_ms: Integer;
  expires_at_ms: NullableInteger;
  revoked_at_ms: NullableInteger;
}

export interface RequestKeysTable {
  key_id: string;
  idempotency_key: string;
  fingerprint: string;
  operation_id: string;
  created_at_ms: Integer;
}

/** Projects, environments, schedules: what stands until somebody changes it. */
export interface DefinitionsTable {
  kind: string;
  /** Empty: of the installation. */
  project_id: string;
  name: string;
  revision: Integer;
  spec: string;
  created_at_ms: Integer;
  changed_at_ms: Integer;
  deleted_at_ms: NullableInteger;
  /** The revision that the project's repository has. */
  saved_revision: NullableInteger;
}

/** Stores that are away or throttle: nobody is sent there before `until_ms`. */
export interface StoreWaitsTable {
  store: string;
  kind: string;
  since_ms: Integer;
  until_ms: Integer;
  tries: Integer;
}

/** What came of each time of a schedule. */
export interface ScheduleSlotsTable {
  project_id: string;
  schedule: string;
  slot_ms: Integer;
  cause: string;
  outcome: string;
  message: NullableText;
  operation_id: NullableText;
  recorded_at_ms: Integer;
}

/** What is told to whom, once. */
export interface DeliveriesTable {
  id: string;
  project_id: string;
  name: string;
  happening: string;
  created_at_ms: Integer;
  state: string;
  due_at_ms: Integer;
  tries: Integer;
  delivered_at_ms: NullableInteger;
  error: NullableText;
}

/** What was last found at a place, by its spelling. */
export interface KnownPlacesTable {
  place: string;
  /** JSON. */
  names: string;
  seen_at_ms: Integer;
}
