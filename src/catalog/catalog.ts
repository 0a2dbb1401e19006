import type { Kysely, RawBuilder } from "kysely";
import type { Catalog } from "../core/ports/catalog.ts";
import { createAccessQueries } from "./access-queries.ts";
import { createBackupQueries } from "./backup-queries.ts";
import { createCopyQueries } from "./copy-queries.ts";
import { createDefinitionQueries } from "./definition-queries.ts";
import { createLeaseQueries } from "./lease-queries.ts";
import { createLogQueries } from "./log-queries.ts";
import { createNotificationQueries } from "./notification-queries.ts";
import { createOperationQueries } from "./operation-queries.ts";
import { createPlaceQueries } from "./place-queries.ts";
import { createQueueQueries } from "./queue-queries.ts";
import { createRestoreQueries } from "./restore-queries.ts";
import { createScheduleQueries } from "./schedule-queries.ts";
import type { CatalogTables } from "./schema.ts";
import { createTaskQueries } from "./task-queries.ts";

/** The little in which SQLite and PostgreSQL differ. */
export interface CatalogFlavour {
  /** The lease clock: a value, or an expression the server evaluates. */
  readonly leaseNow: () => RawBuilder<number>;
  /** Ends a `select` whose row must stay as it is until the statement is done. */
  readonly keepRow: RawBuilder<unknown>;
  /** For what a power cut may take back: how far work is, and that its owner is alive. */
  readonly hasty: Kysely<CatalogTables>;
  /** What a transaction says first so that no other one that says it runs beside it; absent: none ever does. */
  readonly lockQueue?: RawBuilder<unknown>;
}

/** The catalog's queries, the same for SQLite and PostgreSQL. */
export function createCatalog(
  database: Kysely<CatalogTables>,
  { leaseNow, keepRow, hasty, lockQueue }: CatalogFlavour,
): Catalog {
  return {
    ...createOperationQueries(database, leaseNow),
    ...createLeaseQueries(database, hasty, leaseNow),
    ...createQueueQueries(database, leaseNow, lockQueue),
    ...createPlaceQueries(database, lockQueue),
    ...createTaskQueries(database, hasty, keepRow),
    ...createLogQueries(database),
    ...createBackupQueries(database),
    ...createCopyQueries(database),
    ...createRestoreQueries(database),
    ...createAccessQueries(database),
    ...createDefinitionQueries(database),
    ...createScheduleQueries(database, leaseNow, lockQueue),
    ...createNotificationQueries(database),
    close: async () => {
      if (hasty !== database) await hasty.destroy();
      await database.destroy();
    },
  };
}
