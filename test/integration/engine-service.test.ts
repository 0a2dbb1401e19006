/** What callers of the service see, with fake tasks in real child processes. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSqliteCatalog } from "../../src/catalog/open-sqlite-catalog.ts";
import type { RestorePlan } from "../../src/core/restore/restore.ts";
import { backupSpec, FakeEngine, restoreSpec, waitHere } from "../support/fake-engine.ts";

let engine: FakeEngine;
beforeEach(() => {
  engine = new FakeEngine();
});
afterEach(async () => {
  await engine.close();
});

const repository = "/srv/backups";
const dayMs = 24 * 3_600_000;

/** The catalog as another process sees it. */
async function withCatalog<T>(
  work: (catalog: ReturnType<typeof openSqliteCatalog>) => Promise<T>,
): Promise<T> {
  const catalog = openSqliteCatalog(join(engine.dataDirectory, "catalog.db"));
  try {
    return await work(catalog);
  } finally {
    await catalog.close();
  }
}

describe("a backup", () => {
  it("is accepted, tells its states in order and is listed with its facts", async () => {
    const { waiting, events } = waitHere();
    const service = engine.open();
    const view = await service.createBackup(backupSpec, { repository }, waiting);
    expect(events[0]).toEqual({ type: "accepted", id: view.backupId });
    const states = events.flatMap((event) => (event.type === "state" ? [event.status] : []));
    expect(states[0]).toBe("Pending");
    expect(states.slice(-2)).toEqual(["GeneratingMetadata", "Completed"]);
    expect(view).toMatchObject({
      projectId: "shop",
      application: "liferay",
      status: "Completed",
      progress: 100,
      size: 10,
      repository: "file:///srv/backups",
    });
    expect(view.requestId).toMatch(/^req-[0-9a-f]{12}$/);
    const listed = await service.listBackups({ projectId: "shop", limit: 10 });
    expect(listed).toMatchObject({ total: 1, backups: [{ backupId: view.backupId, status: "Completed" }] });
    expect(await service.listBackups({ projectId: "blog", limit: 10 })).toEqual({ backups: [], total: 0 });
  });

  it("is refused with every problem at once, before anything is written", async () => {
    const spec = { ...backupSpec, projectId: "No Good", storage: { ...storageOf(), maxShrink: 7 } };
    const made = engine.open().createBackup(spec, { repository }, waitHere().waiting);
    await expect(made).rejects.toMatchObject({ code: "request-invalid" });
    await expect(made).rejects.toThrow(/No Good.*maxShrink/);
    expect(engine.effects()).toEqual([]);
  });

  it("keeps its failure for whoever asks later", async () => {
    const failure = { code: "source-not-found", message: "There is no such folder.", retry: "never" };
    engine.set("fail-prepare-backup", JSON.stringify(failure));
    const service = engine.open();
    const { waiting, events } = waitHere();
    await expect(service.createBackup(backupSpec, { repository }, waiting)).rejects.toMatchObject({
      code: "source-not-found",
    });
    const backupId = events[0]?.type === "accepted" ? events[0].id : "";
    expect(await service.getBackup({ backupId })).toMatchObject({ status: "Failed", error: failure });
    expect((await service.listBackups({ status: "Failed", limit: 10 })).total).toBe(1);
  });

  it("shows what it is doing to another terminal", async () => {
    engine.set("hold-backup-files");
    const command = engine.start({ verb: "create-backup", spec: backupSpec, repository });
    const backupId = await command.accepted();
    await engine.workerOf("backup-files");
    const service = engine.open();
    expect(["ExportInProgress", "TransferInProgress"]).toContain(
      (await service.getBackup({ backupId })).status,
    );
    expect((await service.listBackups({ status: "Completed", limit: 10 })).total).toBe(0);
    await expect(
      service.deleteBackup({ backupId }, { dryRun: false }, waitHere().waiting),
    ).rejects.toMatchObject({
      code: "still-running",
    });
    engine.clear("hold-backup-files");
    await command.ended;
    expect((await service.getBackup({ backupId })).status).toBe("Completed");
  });

  it.each(["backup-20260101-000000-abcdef", "../../etc/passwd", "", "lport'; drop table backups; --"])(
    "of an unknown id is not found: %j",
    async (backupId) => {
      const service = engine.open();
      const notFound = { code: "backup-not-found" };
      await expect(service.getBackup({ backupId })).rejects.toMatchObject(notFound);
      await expect(service.backupLogs({ backupId })).rejects.toMatchObject(notFound);
      await expect(service.cancelBackup({ backupId })).rejects.toMatchObject(notFound);
      await expect(service.verifyBackup({ backupId }, {}, waitHere().waiting)).rejects.toMatchObject(
        notFound,
      );
    },
  );

  it("is no longer listed when it was deleted", async () => {
    const service = engine.open();
    const { waiting } = waitHere();
    const { backupId } = await service.createBackup(backupSpec, { repository }, waiting);
    await service.deleteBackup({ backupId }, { dryRun: true }, waiting);
    expect((await service.listBackups({ limit: 10 })).total).toBe(1);
    await service.deleteBackup({ backupId }, { dryRun: false }, waiting);
    expect((await service.listBackups({ limit: 10 })).total).toBe(0);
    await expect(service.getBackup({ backupId })).rejects.toMatchObject({ code: "backup-not-found" });
  });
});

const storageOf = () => {
  if (backupSpec.storage === undefined) throw new Error("the example has files");
  return backupSpec.storage;
};

describe("a restore", () => {
  let backupId: string;
  beforeEach(async () => {
    backupId = (await engine.open().createBackup(backupSpec, { repository }, waitHere().waiting)).backupId;
  });

  it("runs what its plan says and shows the plan first", async () => {
    const plans: RestorePlan[] = [];
    const service = engine.open();
    const onPlan = async (plan: RestorePlan): Promise<void> => {
      expect(engine.effects()).not.toContain("restore-database");
      plans.push(plan);
    };
    const view = await service.createRestore(restoreSpec(backupId), { onPlan }, waitHere().waiting);
    expect(plans).toHaveLength(1);
    expect(view).toMatchObject({
      status: "Completed",
      progress: 100,
      database: { rows: 7, swapped: true, retiredDatabase: "shop_old" },
      plan: { hash: "0123456789abcdef" },
    });
    expect(await service.getRestore(view.restoreId)).toEqual(view);
    expect(await service.listRestores({ limit: 10 })).toEqual({ restores: [view], total: 1 });
  });

  it("finds the project of its backup by itself", async () => {
    const spec = { ...restoreSpec(backupId), projectId: "" };
    expect((await engine.open().createRestore(spec, {}, waitHere().waiting)).projectId).toBe("shop");
  });

  it.each<[string, object, () => void, string]>([
    ["a hash that is not the plan's", { approve: "ffffffffffffffff" }, () => undefined, "plan-not-approved"],
    ["a plan with an obstacle", {}, () => engine.set("blocker"), "target-occupied"],
    [
      "a plan that was answered with no",
      { onPlan: async () => await Promise.reject(new Error("no")) },
      () => undefined,
      "internal",
    ],
  ])("changes nothing on %s", async (_name, options, arrange, code) => {
    arrange();
    const service = engine.open();
    const made = service.createRestore(restoreSpec(backupId), options, waitHere().waiting);
    await expect(made).rejects.toMatchObject({ code });
    expect(engine.effects().filter((line) => /^(restore|swap|discard)/.test(line))).toEqual([]);
    const { restores } = await service.listRestores({ limit: 1 });
    expect(restores).toMatchObject([{ status: "Failed", error: { code } }]);
    await expect(service.undoRestore(restores[0]?.restoreId ?? "", waitHere().waiting)).rejects.toMatchObject(
      {
        code: "nothing-to-undo",
      },
    );
  });

  it("is run when the plan's hash was approved", async () => {
    const options = { approve: "0123456789abcdef" };
    const view = await engine.open().createRestore(restoreSpec(backupId), options, waitHere().waiting);
    expect(view.status).toBe("Completed");
  });

  it("puts the files back when the swap fails", async () => {
    // Once only: the look afterwards is a task of the same kind.
    engine.set(
      "once-fail-swap-database",
      JSON.stringify({ code: "database-busy", message: "A session stays.", retry: "never" }),
    );
    const made = engine.open().createRestore(restoreSpec(backupId), {}, waitHere().waiting);
    await expect(made).rejects.toMatchObject({ code: "database-busy" });
    await expect(made).rejects.toThrow("The files that had been replaced were put back.");
    const kinds = engine.effects().map((line) => line.split(" ")[0]);
    expect(kinds.slice(-3)).toEqual(["restore-files", "undo-restore", "discard-restore"]);
  });

  it("can be undone once, and says what came of it", async () => {
    const service = engine.open();
    const { restoreId } = await service.createRestore(restoreSpec(backupId), {}, waitHere().waiting);
    const view = await service.undoRestore(restoreId, waitHere().waiting);
    expect(view.undone).toEqual({ database: { swappedBack: true }, files: { restored: 1, removed: 0 } });
    await expect(service.undoRestore(restoreId, waitHere().waiting)).rejects.toMatchObject({
      code: "nothing-to-undo",
    });
  });

  it("offers to clear away again what it could not clear away", async () => {
    engine.set(
      "fail-restore-database",
      JSON.stringify({ code: "disk-full", message: "No space.", retry: "never" }),
    );
    engine.set(
      "fail-discard-restore",
      JSON.stringify({ code: "database-unreachable", message: "Gone.", retry: "never" }),
    );
    const service = engine.open();
    const made = service.createRestore(restoreSpec(backupId), {}, waitHere().waiting);
    await expect(made).rejects.toThrow(/could not be removed: Gone\. `lc2 restore undo/);
    engine.clear("fail-discard-restore");
    const restoreId = (await service.listRestores({ limit: 1 })).restores[0]?.restoreId ?? "";
    await service.undoRestore(restoreId, waitHere().waiting);
    expect(engine.effects().at(-1)).toBe(`discard-restore ${restoreId} 1`);
  });

  it.each(["restore-20260101-000000-abcdef", "backup", ""])(
    "of an unknown id is not found: %j",
    async (restoreId) => {
      const service = engine.open();
      await expect(service.getRestore(restoreId)).rejects.toMatchObject({ code: "restore-not-found" });
      await expect(service.cancelRestore(restoreId)).rejects.toMatchObject({ code: "restore-not-found" });
      await expect(service.undoRestore(restoreId, waitHere().waiting)).rejects.toMatchObject({
        code: "restore-not-found",
      });
    },
  );

  it("has its old database dropped by the next command when the grace it was given is over", async () => {
    const service = engine.open();
    const spec = { ...restoreSpec(backupId), dropAfterSeconds: 0 };
    const { restoreId } = await service.createRestore(spec, {}, waitHere().waiting);
    const { waiting, events } = waitHere();
    await service.createBackup(backupSpec, { repository }, waiting);
    expect(engine.effects().filter((line) => line.startsWith("drop-old-database"))).toEqual([
      `drop-old-database ${restoreId} 1`,
    ]);
    expect(JSON.stringify(events)).toContain("was dropped as asked");
    await service.createBackup(backupSpec, { repository }, waitHere().waiting);
    expect(engine.effects().filter((line) => line.startsWith("drop-old-database"))).toHaveLength(1);
    expect((await service.getRestore(restoreId)).database?.retiredDatabase).toBeUndefined();
  });

  it("never has its old database dropped unasked; after a day it is mentioned, once a day", async () => {
    const service = engine.open();
    const { restoreId } = await service.createRestore(restoreSpec(backupId), {}, waitHere().waiting);
    const mentions = async (): Promise<number> => {
      const { waiting, events } = waitHere();
      await service.createBackup(backupSpec, { repository }, waiting);
      return events.filter((event) => event.type === "log" && event.line.message.includes("shop_old")).length;
    };
    expect(await mentions()).toBe(0);
    await withCatalog(
      async (catalog) => await catalog.putRestore(restoreId, { retiredAtMs: Date.now() - dayMs - 1 }),
    );
    expect(await mentions()).toBe(1);
    expect(await mentions()).toBe(0);
    expect(engine.effects().some((line) => line.startsWith("drop-old-database"))).toBe(false);
  });
});

describe("a repository's place", () => {
  it.each([
    ["/srv/backups", "file:///srv/backups"],
    ["/srv/backups/", "file:///srv/backups"],
    ["/srv/x/../backups", "file:///srv/backups"],
    ["file:///srv/backups/", "file:///srv/backups"],
    ["file:///srv/with%20space", "file:///srv/with%20space"],
    ["/srv/with space", "file:///srv/with%20space"],
    ["/srv/100%", "file:///srv/100%25"],
  ])("has one spelling: %s", async (given, spelled) => {
    const view = await engine.open().createBackup(backupSpec, { repository: given }, waitHere().waiting);
    expect(view.repository).toBe(spelled);
  });

  it.each([
    ["gs://bucket/path", "request-invalid"],
    ["", "request-invalid"],
    ["file://otherhost/path", "request-invalid"],
    ["s3://_", "request-invalid"],
    ["s3://key:secret@bucket", "password-on-command-line"],
  ])("is refused where it is neither folder nor bucket: %j", async (given, code) => {
    const made = engine.open().createBackup(backupSpec, { repository: given }, waitHere().waiting);
    await expect(made).rejects.toMatchObject({ code });
  });
});

describe("the data directory", () => {
  it("is not made by what does not need it", async () => {
    const service = engine.open();
    await service.checkRepository("/nowhere", { readData: false }, waitHere().waiting);
    expect(existsSync(engine.dataDirectory)).toBe(false);
  });
});
