import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Failure } from "../core/failure.ts";
import { openSqliteCatalog } from "./open-sqlite-catalog.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lc2-catalog-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const place = () => join(folder, "catalog.db");
const operation = (id: string) => ({
  id,
  kind: "backup" as const,
  projectId: "retail",
  requestId: id,
  leaseOwner: "me",
  repository: "file:///backups",
  createdAtMs: 1,
  spec: { note: "x".repeat(5_000) },
});
const failureOf = async (work: Promise<unknown>) => await work.then(() => undefined, Failure.from);

it("is away, and not broken, while its disk is full, also in the middle of a transaction", async () => {
  const before = openSqliteCatalog(place());
  await before.createOperation(operation("backup-before"), { seconds: 30 });
  await before.close();
  const full = openSqliteCatalog(place(), { isFull: true });
  let failure: Failure | undefined;
  for (let count = 0; failure === undefined; count += 1)
    failure = await failureOf(full.createOperation(operation(`backup-${count}`), { seconds: 30 }));
  expect(failure).toMatchObject({ code: "catalog-unreachable", retry: "backoff" });
  expect(failure.message).toMatch(/is full.*Free space on its disk/);
  expect(await full.getOperation("backup-before")).toBeDefined();
  await full.close();
  const freed = openSqliteCatalog(place());
  await freed.createOperation(operation("backup-freed"), { seconds: 30 });
  expect(await freed.getOperation("backup-freed")).toBeDefined();
  await freed.close();
});
