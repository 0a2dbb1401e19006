import type { Kysely, RawBuilder } from "kysely";
import type { Catalog } from "../core/ports/catalog.ts";
import { createBackupQueries } from "./backup-queries.ts";
import { createLeaseQueries } from "./lease-queries.ts";
import { createLogQueries } from "./log-queries.ts";
import { createOperationQueries } from "./operation-queries.ts";
import { createRestoreQueries } from "./restore-queries.ts";
import type { CatalogTables } from "./schema.ts";
import { createTaskQueries } from "./task-queries.ts";

/**
 * The catalog's queries, the same for SQLite and PostgreSQL. `leaseNow` is the lease clock: a value, or
 * an expression the server evaluates.
 */
export function createCatalog(database: Kysely<CatalogTables>, leaseNow: () => RawBuilder<number>): Catalog {
  return {
    ...createOperationQueries(database, leaseNow),
    ...createLeaseQueries(database, leaseNow),
    ...createTaskQueries(database),
    ...createLogQueries(database),
    ...createBackupQueries(database),
    ...createRestoreQueries(database),
    close: () => database.destroy(),
  };
}
