/** Catalogs with very many backups. */
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import type { PostgresServer } from "../../demo/postgres-servers.ts";
import { openPostgresCatalog } from "../../src/catalog/open-postgres-catalog.ts";
import { openSqliteCatalog } from "../../src/catalog/open-sqlite-catalog.ts";

export const backupsInCatalog = 100_000;

const pattern = {
  backupId: "backup-20200101-000000-000000",
  projectId: "shop-0",
  application: "liferay",
  repository: "file:///srv/backups",
  createdAtMs: 1_577_836_800_000,
  sealedAtMs: 1_577_836_900_000,
  storedBytes: 123_456_789,
  metadata: { note: "x".repeat(2_000) },
};

/** Through the catalog's own code for the tables and one row, then multiplied in SQL: 100,000 syncs would take minutes. */
export async function fillSqliteCatalog(file: string): Promise<void> {
  const catalog = openSqliteCatalog(file);
  await catalog.putBackup(pattern);
  await catalog.close();
  const database = new DatabaseSync(file);
  const numbers = `WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ${backupsInCatalog - 1})`;
  const id = "'backup-20200101-000000-' || printf('%06x', i)";
  const copy = (table: string) => {
    const columns = database
      .prepare(`PRAGMA table_info(${table})`)
      .all()
      .map((row) => String(row["name"]));
    const values = columns.map((column) => {
      if (column === "backup_id") return id;
      if (column === "project_id") return "'shop-' || (i % 10)";
      return column.endsWith("_at_ms") ? `${column} + i * 60000` : column;
    });
    database.exec(
      `INSERT INTO ${table} (${columns.join(", ")}) ${numbers} SELECT ${values.join(", ")} FROM n, ${table}`,
    );
  };
  database.exec("BEGIN");
  // The first row is the pattern: read before anything is added.
  for (const table of ["backups", "backup_metadata"]) copy(table);
  database.exec("COMMIT");
  database.close();
}

/** The same rows in a database of its own, `lc2_catalog`. Resolves with its URL, password included. */
export async function fillPostgresCatalog(server: PostgresServer): Promise<string> {
  await server.query("DROP DATABASE IF EXISTS lc2_catalog");
  await server.query("CREATE DATABASE lc2_catalog");
  const url = new URL(server.urlOf("lc2_catalog"));
  url.password = server.password;
  const catalog = openPostgresCatalog(url.href, { schema: "lc2", env: {} });
  await catalog.putBackup(pattern);
  await catalog.close();
  for (const table of ["backups", "backup_metadata"]) {
    const columns = await server.query(
      `SELECT attname AS name FROM pg_attribute
       WHERE attrelid = 'lc2.${table}'::regclass AND attnum > 0 AND NOT attisdropped`,
      "lc2_catalog",
    );
    const names = columns.map(({ name }) => String(name));
    const values = names.map((column) => {
      if (column === "backup_id") return "'backup-20200101-000000-' || lpad(to_hex(i), 6, '0')";
      if (column === "project_id") return "'shop-' || (i % 10)";
      return column.endsWith("_at_ms") ? `${column} + i::bigint * 60000` : column;
    });
    await server.query(
      `INSERT INTO lc2.${table} (${names.join(", ")})
       SELECT ${values.join(", ")} FROM generate_series(1, ${backupsInCatalog - 1}) AS i, lc2.${table}`,
      "lc2_catalog",
    );
  }
  await tidy(server);
  return url.href;
}

/** As a server has it after a while: whoever counts need not look at rows. Anybody's glance at the table puts that off. */
async function tidy(server: PostgresServer): Promise<void> {
  for (let tries = 0; tries < 20; tries += 1) {
    await server.query("VACUUM ANALYZE", "lc2_catalog");
    const [table] = await server.query(
      "SELECT relallvisible = relpages AS done FROM pg_class WHERE oid = 'lc2.backups'::regclass",
      "lc2_catalog",
    );
    if (table?.["done"] === true) return;
    await pause(500);
  }
  throw new Error("something keeps the catalog of the measurement from being vacuumed");
}
