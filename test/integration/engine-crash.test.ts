/**
 * Processes that die, stop and come back, on real child processes with fake tasks: what was left is ended or
 * adopted by the next call, exactly once, and nothing is done twice.
 */
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSqliteCatalog } from "../../src/catalog/open-sqlite-catalog.ts";
import { backupSpec, FakeEngine, restoreSpec, runs, waitHere } from "../support/fake-engine.ts";
import { until } from "../support/until.ts";

let engine: FakeEngine;
beforeEach(() => {
  engine = new FakeEngine();
});
afterEach(async () => {
  await engine.close();
});

/** Stopped in the middle of a write, a process would keep the catalog's file from all others until it goes on. */
async function stopWithoutLock(child: ChildProcess): Promise<void> {
  const database = new DatabaseSync(join(engine.dataDirectory, "catalog.db"));
  await until("it is stopped and writes nothing", async () => {
    child.kill("SIGSTOP");
    await pause(50);
    try {
      database.exec("begin immediate; rollback");
      return true;
    } catch {
      child.kill("SIGCONT");
      return false;
    }
  });
  database.close();
}

const repository = "/srv/backups";
const createBackup = { verb: "create-backup", spec: backupSpec, repository } as const;

describe("a command that is killed during a backup", () => {
  it.each(["prepare-backup", "backup-database", "backup-files", "seal-backup"] as const)(
    "is ended as interrupted when it had not sealed: killed in %s",
    async (kind) => {
      engine.set(`hold-${kind}`);
      const command = engine.start(createBackup);
      const backupId = await command.accepted();
      const worker = await engine.workerOf(kind);
      command.child.kill("SIGKILL");
      await command.ended;

      const service = engine.open();
      const { backups } = await service.listBackups({ limit: 10 });
      expect(backups).toMatchObject([{ backupId, status: "Failed" }]);
      expect(runs(worker)).toBe(false);
      expect((await service.getBackup({ backupId })).error?.code).toBe("interrupted");
      expect(engine.notices.map(({ message }) => message).join("\n")).toContain(backupId);
      expect((await service.backupLogs({ backupId })).some(({ message }) => message.includes("died"))).toBe(
        true,
      );
    },
  );

  it("is adopted as completed when it had sealed and not recorded it", async () => {
    engine.set("hold-after-seal-backup");
    const command = engine.start(createBackup);
    const backupId = await command.accepted();
    await until("the backup is sealed", () =>
      engine.effects().some((line) => line.startsWith("seal-backup")),
    );
    command.child.kill("SIGKILL");
    await command.ended;

    const service = engine.open();
    const view = await service.getBackup({ backupId });
    expect(view).toMatchObject({ status: "Completed", size: 10 });
    expect(view.metadata?.backupId).toBe(backupId);
    expect(engine.effects().filter((line) => line.startsWith("seal-backup"))).toHaveLength(1);
  });

  it("in another container before the machine was restarted is ended, whatever its lease says", async () => {
    const longUptime = { leaseClockMs: () => Number(process.hrtime.bigint() / 1_000_000n) + 10 * 86_400_000 };
    const catalog = openSqliteCatalog(join(engine.dataDirectory, "catalog.db"), longUptime);
    const id = "backup-20261101-020000-aaaaaa";
    await catalog.createOperation(
      {
        id,
        kind: "backup",
        projectId: "shop",
        requestId: "req-1",
        spec: { spec: backupSpec },
        repository: "file:///srv/backups",
        createdAtMs: Date.now(),
        leaseOwner: JSON.stringify({ pid: 1, boot: "before", space: "gone pid:[1]" }),
      },
      { seconds: 30 },
    );
    await catalog.close();
    const { backups } = await engine.open().listBackups({ limit: 5 });
    expect(backups).toMatchObject([{ backupId: id, status: "Failed" }]);
  });

  it("lets the next command end it, do its own work and succeed", async () => {
    engine.set("hold-backup-files");
    const command = engine.start(createBackup);
    const deadId = await command.accepted();
    await engine.workerOf("backup-files");
    command.child.kill("SIGKILL");
    await command.ended;
    engine.clear("hold-backup-files");

    const { waiting, events } = waitHere();
    const view = await engine.open().createBackup(backupSpec, { repository }, waiting);
    expect(view.status).toBe("Completed");
    const said = events.flatMap((event) => (event.type === "log" ? [event.line.message] : [])).join("\n");
    expect(said).toContain(deadId);
    expect(engine.effects().filter((line) => line.includes(view.backupId))).toEqual([
      `prepare-backup ${view.backupId} 1`,
      expect.stringMatching(/^backup-(database|files) .* 1$/),
      expect.stringMatching(/^backup-(database|files) .* 1$/),
      `seal-backup ${view.backupId} 1`,
    ]);
  });

  it("is ended by exactly one of several that come at once", async () => {
    engine.set("hold-backup-files");
    const command = engine.start(createBackup);
    const backupId = await command.accepted();
    await engine.workerOf("backup-files");
    command.child.kill("SIGKILL");
    await command.ended;

    const others = [1, 2, 3].map(() => engine.start({ verb: "list-backups" }));
    await Promise.all(others.map(async ({ ended }) => await ended));
    for (const { lines } of others) expect(lines.at(-1)?.type).toBe("result");
    const log = await engine.open().backupLogs({ backupId });
    expect(log.filter(({ message }) => message.includes("process that died"))).toHaveLength(1);
    expect(log.filter(({ message }) => message.includes("was ended as"))).toHaveLength(1);
  });
});

describe("a worker that is killed", () => {
  it.each(["backup-database", "backup-files", "seal-backup"] as const)(
    "costs an attempt, not the backup: %s",
    async (kind) => {
      engine.set(`hold-${kind}`);
      const command = engine.start(createBackup);
      const backupId = await command.accepted();
      process.kill(await engine.workerOf(kind), "SIGKILL");
      engine.clear(`hold-${kind}`);
      await command.ended;
      expect(command.lines.at(-1)).toMatchObject({ type: "result", result: { status: "Completed" } });
      expect(engine.effects().filter((line) => line.startsWith("seal-backup"))).toEqual([
        `seal-backup ${backupId} 2`,
      ]);
    },
  );

  it("is not sealed twice when it had sealed", async () => {
    engine.set("hold-after-seal-backup");
    const command = engine.start(createBackup);
    await until("the backup is sealed", () =>
      engine.effects().some((line) => line.startsWith("seal-backup")),
    );
    process.kill(await engine.workerOf("seal-backup"), "SIGKILL");
    await command.ended;
    expect(command.lines.at(-1)).toMatchObject({ type: "result", result: { status: "Completed" } });
    expect(engine.effects().filter((line) => line.startsWith("seal-backup"))).toHaveLength(1);
  });

  it("ends for good when the failure says that it will not pass", async () => {
    engine.set(
      "fail-backup-files",
      JSON.stringify({ code: "disk-full", message: "No space.", retry: "never" }),
    );
    const { waiting } = waitHere();
    const made = engine.open().createBackup(backupSpec, { repository }, waiting);
    await expect(made).rejects.toMatchObject({ code: "disk-full" });
    expect(engine.effects().some((line) => line.startsWith("seal-backup"))).toBe(false);
  });

  it("is tried again when the failure says that it may pass", async () => {
    engine.set(
      "once-fail-backup-files",
      JSON.stringify({ code: "repository-busy", message: "Busy.", retry: "backoff" }),
    );
    const { waiting } = waitHere();
    const view = await engine.open().createBackup(backupSpec, { repository }, waiting);
    expect(view.metadata?.attempt).toBe(2);
  });
});

describe("a worker that moves no byte", () => {
  const stalled = { LC2_STALL_MINUTES: "0.02" };

  it("is said to be stalled, then ended, and its backup is tried again", async () => {
    engine.set("hold-backup-files");
    const service = engine.open(stalled);
    const { waiting, events } = waitHere();
    const made = service.createBackup(backupSpec, { repository }, waiting);
    await until("it is stalled", () =>
      events.some((event) => event.type === "log" && event.line.message.includes("is stalled")),
    );
    await until("it is tried again", () =>
      events.some((event) => event.type === "log" && event.line.message.includes("Trying again")),
    );
    engine.clear("hold-backup-files");
    expect((await made).metadata?.attempt).toBeGreaterThan(1);
  });

  it("is left alone when it restores: it may be at something that takes its time", async () => {
    engine.set("hold-restore-database");
    const service = engine.open(stalled);
    const { backupId } = await service.createBackup(backupSpec, { repository }, waitHere().waiting);
    const { waiting, events } = waitHere();
    const made = service.createRestore(restoreSpec(backupId), {}, waiting);
    await until("it is stalled", () =>
      events.some((event) => event.type === "log" && event.line.message.includes("is stalled")),
    );
    const { restores } = await service.listRestores({ limit: 1 });
    expect(restores).toMatchObject([{ status: "RestoringDump", conditions: [{ type: "Stalled" }] }]);
    engine.clear("hold-restore-database");
    expect((await made).status).toBe("Completed");
  });
});

describe("a process that stops and comes back", () => {
  beforeEach(async () => {
    await engine.close();
    engine = new FakeEngine(4);
  });

  it("a worker that no longer answers is given up, and its successor finishes", async () => {
    engine.set("hold-backup-files");
    const command = engine.start(createBackup);
    const worker = await engine.workerOf("backup-files");
    process.kill(worker, "SIGSTOP");
    engine.clear("hold-backup-files");
    await command.ended;
    expect(command.lines.at(-1)).toMatchObject({ type: "result", result: { metadata: { attempt: 2 } } });
    expect(runs(worker)).toBe(false);
    expect(engine.effects().filter((line) => line.startsWith("backup-files"))).toHaveLength(1);
  });

  it("a stopped worker of a dead command is ended before anything else is done", async () => {
    engine.set("hold-backup-files");
    const command = engine.start(createBackup);
    const backupId = await command.accepted();
    const worker = await engine.workerOf("backup-files");
    process.kill(worker, "SIGSTOP");
    command.child.kill("SIGKILL");
    await command.ended;
    engine.clear("hold-backup-files");
    const { waiting } = waitHere();
    const service = engine.open();
    const view = await service.createBackup(backupSpec, { repository }, waiting);
    expect(view.status).toBe("Completed");
    expect(runs(worker)).toBe(false);
    expect((await service.getBackup({ backupId })).status).toBe("Failed");
    expect(engine.effects()).not.toContain(`backup-files ${backupId} 1`);
  });

  it("a stopped command loses its operation, and changes nothing when it comes back", async () => {
    engine.set("hold-backup-files");
    const command = engine.start(createBackup);
    const backupId = await command.accepted();
    const worker = await engine.workerOf("backup-files");
    await stopWithoutLock(command.child);
    const service = engine.open();
    await until("another process takes it over", async () => {
      const { backups } = await service.listBackups({ limit: 1 });
      return backups[0]?.status === "Failed";
    });
    expect(runs(worker)).toBe(false);
    engine.clear("hold-backup-files");
    command.child.kill("SIGCONT");
    await command.ended;
    expect(command.lines.at(-1)).toMatchObject({ type: "failure", failure: { code: "interrupted" } });
    const after = await service.getBackup({ backupId });
    expect(after.status).toBe("Failed");
    expect(engine.effects()).not.toContain(`seal-backup ${backupId} 1`);
  });

  it("a worker that loses its parent ends, even when its task does not listen", async () => {
    engine.set("hold-backup-files");
    engine.set("deaf-backup-files");
    const command = engine.start(createBackup);
    const worker = await engine.workerOf("backup-files");
    command.child.kill("SIGKILL");
    await until("the worker is gone", () => !runs(worker), 5_500);
    expect(engine.effects().some((line) => line.startsWith("backup-files"))).toBe(false);
  });

  it("a worker that loses its lease ends, even when its task does not listen", async () => {
    engine.set("hold-backup-files");
    engine.set("deaf-backup-files");
    const command = engine.start(createBackup);
    const worker = await engine.workerOf("backup-files");
    command.child.kill("SIGSTOP");
    await until("the worker is gone", () => !runs(worker), engine.leaseSeconds * 1000 + 5_500);
    expect(engine.effects().some((line) => line.startsWith("backup-files"))).toBe(false);
  });
});

describe("several at once", () => {
  it("in two processes and twice in one: all succeed and none ends another's", async () => {
    const command = engine.start(createBackup);
    const { waiting } = waitHere();
    const views = await Promise.all([
      engine.open().createBackup(backupSpec, { repository }, waiting),
      engine.open().createBackup(backupSpec, { repository }, waiting),
    ]);
    await command.ended;
    expect(views.map(({ status }) => status)).toEqual(["Completed", "Completed"]);
    expect(command.lines.at(-1)).toMatchObject({ type: "result", result: { status: "Completed" } });
    expect((await engine.open().listBackups({ limit: 10, status: "Completed" })).total).toBe(3);
    expect(engine.notices).toEqual([]);
  });
});

describe("cancelling", () => {
  it("from another terminal ends the workers and leaves nothing to be seen", async () => {
    engine.set("hold-backup-files");
    const command = engine.start(createBackup);
    const backupId = await command.accepted();
    const worker = await engine.workerOf("backup-files");
    const view = await engine.open().cancelBackup({ backupId });
    expect(view.status).toBe("Cancelled");
    await command.ended;
    expect(command.lines.at(-1)).toMatchObject({ type: "failure", failure: { code: "cancelled" } });
    expect(runs(worker)).toBe(false);
    expect(engine.effects().some((line) => line.startsWith("seal-backup"))).toBe(false);
  });

  it("by Ctrl-C does the same", async () => {
    engine.set("hold-backup-database");
    const command = engine.start(createBackup);
    const worker = await engine.workerOf("backup-database");
    command.child.kill("SIGINT");
    await command.ended;
    expect(command.lines.at(-1)).toMatchObject({ type: "failure", failure: { code: "cancelled" } });
    expect(runs(worker)).toBe(false);
  });

  it("a worker that does not listen is ended all the same", async () => {
    engine.set("hold-backup-files");
    engine.set("deaf-backup-files");
    const command = engine.start(createBackup);
    const worker = await engine.workerOf("backup-files");
    command.child.kill("SIGINT");
    await command.ended;
    expect(command.lines.at(-1)).toMatchObject({ type: "failure", failure: { code: "cancelled" } });
    expect(runs(worker)).toBe(false);
  });

  it("comes too late once the backup has ended", async () => {
    const { waiting } = waitHere();
    const service = engine.open();
    const { backupId } = await service.createBackup(backupSpec, { repository }, waiting);
    await expect(service.cancelBackup({ backupId })).rejects.toMatchObject({ code: "already-finished" });
  });
});

describe("a command that is killed during a restore", () => {
  let backupId: string;
  beforeEach(async () => {
    backupId = (await engine.open().createBackup(backupSpec, { repository }, waitHere().waiting)).backupId;
  });
  const effectsOf = (restoreId: string): string[] =>
    engine.effects().flatMap((line) => (line.includes(restoreId) ? [line.split(" ")[0] ?? ""] : []));

  /** `reached` may give the worker that is held; it goes on no more once nothing holds it. */
  async function killIn(hold: string, reached: () => Promise<number | void>): Promise<string> {
    engine.set(hold);
    const command = engine.start({ verb: "create-restore", spec: restoreSpec(backupId) });
    const restoreId = await command.accepted();
    const worker = await reached();
    command.child.kill("SIGKILL");
    await command.ended;
    if (worker !== undefined) await until("the worker has ended with its parent", () => !runs(worker));
    engine.clear(hold);
    return restoreId;
  }

  it("has changed nothing while it planned", async () => {
    const restoreId = await killIn("hold-plan-restore", async () => await engine.workerOf("plan-restore"));
    const view = await engine.open().getRestore(restoreId);
    expect(view).toMatchObject({ status: "Failed", error: { code: "interrupted" } });
    expect(effectsOf(restoreId)).toEqual([]);
  });

  it("leaves the database as it was: what was loaded is discarded", async () => {
    const restoreId = await killIn(
      "hold-restore-database",
      async () => await engine.workerOf("restore-database"),
    );
    const view = await engine.open().getRestore(restoreId);
    expect(view).toMatchObject({ status: "Failed", error: { code: "interrupted" } });
    expect(view.error?.message).toContain('"shop" is as it was');
    expect(effectsOf(restoreId)).toEqual(["plan-restore", "discard-restore"]);
  });

  it("says which files may have been replaced and how to undo it", async () => {
    const restoreId = await killIn("hold-restore-files", async () => await engine.workerOf("restore-files"));
    const service = engine.open();
    const view = await service.getRestore(restoreId);
    expect(view.error?.message).toContain(`lc2 restore undo ${restoreId}`);
    const undone = await service.undoRestore(restoreId, waitHere().waiting);
    expect(undone.undone).toEqual({ files: { restored: 1, removed: 0 } });
  });

  it("puts the files back when it died before the swap", async () => {
    const restoreId = await killIn("hold-swap-database", async () => await engine.workerOf("swap-database"));
    const view = await engine.open().getRestore(restoreId);
    expect(view).toMatchObject({ status: "Failed", error: { code: "interrupted" } });
    expect(effectsOf(restoreId)).toEqual([
      "plan-restore",
      "restore-database",
      "restore-files",
      "undo-restore",
      "discard-restore",
    ]);
  });

  it("is adopted as completed when it had swapped", async () => {
    const restoreId = await killIn(
      "hold-after-swap-database",
      async () =>
        await until("it swaps", () => engine.effects().some((line) => line.startsWith("swap-database"))),
    );
    const view = await engine.open().getRestore(restoreId);
    expect(view).toMatchObject({
      status: "Completed",
      database: { swapped: true, retiredDatabase: "shop_old" },
    });
    expect(effectsOf(restoreId)).toEqual([
      "plan-restore",
      "restore-database",
      "restore-files",
      "swap-database",
    ]);
  });

  it("can have its undo run again when that was killed too", async () => {
    const service = engine.open();
    const { restoreId } = await service.createRestore(restoreSpec(backupId), {}, waitHere().waiting);
    engine.set("hold-undo-restore");
    const command = engine.start({ verb: "undo-restore", restoreId });
    await engine.workerOf("undo-restore");
    await expect(service.undoRestore(restoreId, waitHere().waiting)).rejects.toMatchObject({
      code: "still-running",
    });
    command.child.kill("SIGKILL");
    await command.ended;
    engine.clear("hold-undo-restore");
    const undone = await service.undoRestore(restoreId, waitHere().waiting);
    expect(undone.undone).toMatchObject({ database: { swappedBack: true } });
    expect(effectsOf(restoreId).filter((kind) => kind === "undo-restore")).toHaveLength(1);
  });
});
