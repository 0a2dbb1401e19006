import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPostgresCatalog } from "../../src/catalog/open-postgres-catalog.ts";
import { openSqliteCatalog } from "../../src/catalog/open-sqlite-catalog.ts";
import {
  freshDatabase,
  majorsAvailable,
  urlWithPassword,
  useServer,
  type TestDatabase,
} from "../support/servers.ts";
import { describeCatalog } from "./catalog.contract.ts";

const folder = mkdtempSync(join(tmpdir(), "lc2-catalog-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const newFile = (): string => join(folder, `${(count += 1)}`, "catalog.db");

function makeClock() {
  let nowMs = 1_000_000;
  return { leaseClockMs: () => nowMs, passSeconds: (seconds: number) => void (nowMs += seconds * 1000) };
}

describeCatalog(
  "SQLite in memory",
  () => {
    const { leaseClockMs, passSeconds } = makeClock();
    const catalog = openSqliteCatalog(":memory:", { leaseClockMs });
    return { catalog, openAnother: () => catalog, passSeconds, close: async () => await catalog.close() };
  },
  { isShared: false },
);

describeCatalog(
  "an SQLite file",
  () => {
    const { leaseClockMs, passSeconds } = makeClock();
    const file = newFile();
    const catalog = openSqliteCatalog(file, { leaseClockMs });
    const openAnother = () => openSqliteCatalog(file, { leaseClockMs });
    return { catalog, openAnother, passSeconds, close: async () => await catalog.close() };
  },
  { isShared: true },
);

it("says that it is to be tried again where another process holds the file for long, and does so", async () => {
  const file = newFile();
  const catalog = openSqliteCatalog(file, { patienceMs: 50 });
  const another = new DatabaseSync(file);
  another.exec("begin immediate");
  const wait = { store: "http://minio:9000", kind: "away", sinceMs: 1, untilMs: 2, tries: 1 } as const;
  await expect(catalog.putStoreWait(wait)).rejects.toMatchObject({
    code: "catalog-unreachable",
    retry: "backoff",
  });
  another.exec("rollback");
  another.close();
  await catalog.putStoreWait(wait);
  await catalog.close();
});

const majors = await majorsAvailable();
const database = new Map<number, TestDatabase>();
afterAll(async () => {
  for (const one of database.values()) await one.drop();
});

describe.each([...new Set([majors[0], majors.at(-1)])])("with PostgreSQL %s", (major) => {
  beforeAll(async () => {
    if (major === undefined) throw new Error("No PostgreSQL server can be had here.");
    database.set(major, await freshDatabase(await useServer(major), { ownerCreatesDatabases: false }));
  });

  describeCatalog(
    `PostgreSQL ${major}`,
    () => {
      const owner = database.get(major ?? 0)?.owner;
      let aheadMs = 0;
      const schema = `lc2 "${(count += 1)}"`;
      const openAnother = () =>
        openPostgresCatalog(owner === undefined ? "" : urlWithPassword(owner), {
          schema,
          env: {},
          leaseClockAheadMs: () => aheadMs,
        });
      const catalog = openAnother();
      const passSeconds = (seconds: number) => void (aheadMs += seconds * 1000);
      return { catalog, openAnother, passSeconds, close: async () => await catalog.close() };
    },
    { isShared: true },
  );
});

describe("the SQLite file", () => {
  it("can be read by its owner alone, and so can its companions", async () => {
    const file = newFile();
    const catalog = openSqliteCatalog(file);
    await catalog.putRestore("restore-1", {});
    const names = readdirSync(join(file, ".."));
    expect(names.length).toBeGreaterThan(1);
    for (const name of names) expect(statSync(join(file, "..", name)).mode & 0o777).toBe(0o600);
    expect(statSync(join(file, "..")).mode & 0o777).toBe(0o700);
    await catalog.close();
  });

  it("keeps what was written for the next process", async () => {
    const file = newFile();
    const first = openSqliteCatalog(file);
    await first.putRestore("restore-1", { approvedAtMs: 7 });
    await first.close();
    const second = openSqliteCatalog(file);
    expect(await second.getRestore("restore-1")).toEqual({ restoreId: "restore-1", approvedAtMs: 7 });
    await second.close();
  });

  it("is refused on a network file system", () => {
    const open = () => openSqliteCatalog(newFile(), { fileSystemType: () => 0x6969 });
    expect(open).toThrow(expect.objectContaining({ code: "catalog-on-network" }));
    expect(open).toThrow("NFS");
  });

  it("is refused, unchanged, when a newer version wrote it", async () => {
    const file = newFile();
    await openSqliteCatalog(file).close();
    const raw = new DatabaseSync(file);
    raw.exec("update schema_version set version = 999, oldest_program = 999");
    raw.close();
    expect(() => openSqliteCatalog(file)).toThrow(expect.objectContaining({ code: "catalog-too-new" }));
    const after = new DatabaseSync(file);
    expect(after.prepare("select version from schema_version").get()).toEqual({ version: 999 });
    after.close();
  });

  it("says which file it cannot use, and that no backup is lost", () => {
    const file = newFile();
    const inFolder = join(file, "..", "..", "broken.db");
    writeFileSync(
      inFolder,
      "this is not a database, but long enough to look like a file with something in it".repeat(20),
    );
    const open = () => openSqliteCatalog(inFolder);
    expect(open).toThrow(expect.objectContaining({ code: "catalog-failed" }));
    expect(open).toThrow(inFolder);
    expect(open).toThrow("repository scan");
  });

  it("can be made by several processes at the same moment", async () => {
    const file = newFile();
    const module = fileURLToPath(new URL("../../src/catalog/open-sqlite-catalog.ts", import.meta.url));
    const program =
      `const { openSqliteCatalog } = await import(${JSON.stringify(module)});` +
      `const catalog = openSqliteCatalog(${JSON.stringify(file)});` +
      "await catalog.putRestore(`restore-${process.argv[1]}`, {}); await catalog.close();";
    const children = [1, 2, 3, 4, 5, 6].map((index) =>
      spawn(process.execPath, ["--input-type=module", "-e", program, String(index)], { stdio: "inherit" }),
    );
    const codes = await Promise.all(children.map(async (child) => (await once(child, "exit"))[0] as number));
    expect(codes).toEqual([0, 0, 0, 0, 0, 0]);
    const catalog = openSqliteCatalog(file);
    for (let index = 1; index <= 6; index += 1) {
      expect(await catalog.getRestore(`restore-${index}`)).toBeDefined();
    }
    await catalog.close();
  });
});
