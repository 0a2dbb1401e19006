/** How long a person waits for a list and for help. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteCatalog } from "../../src/catalog/open-sqlite-catalog.ts";
import type { BenchCase } from "./bench-case.ts";
import { seconds, type Figure } from "./figure.ts";
import { interleave, measure, median, secondsOf } from "./measure.ts";
import { lc2, lc2Text, type Workbench } from "./workbench.ts";

const backups = 100_000;

export const catalogCases: readonly BenchCase[] = [
  {
    name: "catalog",
    title: "Waiting for the command line",
    judgedAtAnyScale: true,
    run: async (bench: Workbench) => {
      const dataDirectory = await bench.scratch("catalog");
      await fillCatalog(join(dataDirectory, "catalog.db"));
      const results = await interleave(Math.max(5, bench.rounds), {
        list: () => lc2(dataDirectory, ["backup", "list"]),
        filtered: () =>
          lc2(dataDirectory, [
            "backup",
            "list",
            "--project",
            "shop-3",
            "--status",
            "completed",
            "-o",
            "json",
          ]),
        help: () => lc2(dataDirectory, ["--help"]),
        node: () => measure([process.execPath, "--eval", "0"]),
      });
      const listed = JSON.parse(results.filtered[0]?.stdout ?? "{}") as { total?: number };
      if (listed.total !== backups / 10)
        throw new Error(`${listed.total} backups were found instead of ${backups / 10}`);
      const node = secondsOf(results.node);
      const figure = (what: string, measured: readonly number[], atMost: number): Figure => ({
        what,
        ours: seconds(measured),
        against: seconds(node),
        result: `${median(measured).toFixed(3)} s`,
        goal: `< ${atMost} s`,
        met: median(measured) < atMost,
      });
      return {
        data: `a catalog (SQLite) with ${backups.toLocaleString("en")} sealed backups of 10 projects`,
        programs: [
          `${lc2Text}, from the shell script to its end; against a Node ${process.version} that does nothing`,
        ],
        figures: [
          figure("`lc2 backup list` (the newest 50)", secondsOf(results.list), 0.5),
          figure(
            "`lc2 backup list --project … --status completed -o json`",
            secondsOf(results.filtered),
            0.5,
          ),
          figure("`lc2 --help`", secondsOf(results.help), 0.25),
        ],
        notes: ["Medians; compiled code is cached, as after the first start."],
      };
    },
  },
];

/** Through the catalog's own code for the tables and one row, then multiplied in SQL: 100,000 syncs would take minutes. */
async function fillCatalog(file: string): Promise<void> {
  const catalog = openSqliteCatalog(file);
  await catalog.putBackup({
    backupId: "backup-20200101-000000-000000",
    projectId: "shop-0",
    application: "liferay",
    repository: "file:///srv/backups",
    createdAtMs: 1_577_836_800_000,
    sealedAtMs: 1_577_836_900_000,
    storedBytes: 123_456_789,
    metadata: { note: "x".repeat(2_000) },
  });
  await catalog.close();
  const database = new DatabaseSync(file);
  const numbers = `WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ${backups - 1})`;
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
