import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isWaiting, nobody } from "../../src/core/operation/operation.ts";
import type { Catalog, NewOperation, QueueObservation, SealedBackup } from "../../src/core/ports/catalog.ts";
import { maximumLogLines } from "../../src/core/ports/catalog.ts";
import { describeAccessRecords } from "./access-records.contract.ts";
import { describeDefinitionRecords } from "./definition-records.contract.ts";
import { describeScheduleRecords } from "./schedule-records.contract.ts";
import { describeNotificationRecords } from "./notification-records.contract.ts";

export interface CatalogUnderTest {
  readonly catalog: Catalog;
  /** Another connection to the same catalog, as another process has it. */
  readonly openAnother: () => Catalog;
  /** Sets the lease clock forward. */
  readonly passSeconds: (seconds: number) => void;
  readonly close: () => Promise<void>;
}

const lease = { seconds: 30 };
const me = "me";
const other = "other";

function operation(change: Partial<NewOperation> = {}): NewOperation {
  return {
    id: "backup-20260101-000000-000001",
    kind: "backup",
    projectId: "shop",
    application: "liferay",
    requestId: "req-1",
    spec: { spec: { projectId: "shop" } },
    repository: "file:///srv/backups",
    createdAtMs: 1_000,
    leaseOwner: me,
    ...change,
  };
}

function sealed(change: Partial<SealedBackup> = {}): SealedBackup {
  return {
    backupId: "backup-20260101-000000-000001",
    projectId: "shop",
    repository: "file:///srv/backups",
    createdAtMs: 1_000,
    sealedAtMs: 2_000,
    storedBytes: 5_000_000_000,
    metadata: { format: "lc2-backup" },
    ...change,
  };
}

/** What every catalog must do. */
export function describeCatalog(
  name: string,
  open: () => CatalogUnderTest,
  { isShared }: { readonly isShared: boolean },
): void {
  describe(`the catalog on ${name}`, () => {
    let subject: CatalogUnderTest;
    let catalog: Catalog;
    beforeEach(() => {
      subject = open();
      catalog = subject.catalog;
    });
    afterEach(async () => {
      await subject.close();
    });
    const { id } = operation();
    const prepare = { operationId: id, attempt: 1, name: "prepare" };

    describeAccessRecords(() => catalog);
    describeDefinitionRecords(() => catalog);
    describeScheduleRecords(() => subject, { isShared });
    describeNotificationRecords(() => catalog);

    describe("the queue", () => {
      const waiting = (count: number, projectId = "shop") =>
        operation({ id: `backup-20260101-000000-00000${count}`, projectId, leaseOwner: nobody });
      const claim = { seconds: 30, nowMs: 77_000 };
      const everything = ({ open }: QueueObservation) =>
        open.filter(isWaiting).map((one) => ({ id: one.id, owner: me }));

      it("shows what waits and what goes on, oldest first, and claims what is chosen", async () => {
        await catalog.createOperation(waiting(2), lease);
        await catalog.createOperation(operation({ createdAtMs: 900 }), lease);
        const shown = await catalog.observeQueue();
        expect(shown.open.map((one) => [one.id.at(-1), isWaiting(one)])).toEqual([
          ["1", false],
          ["2", true],
        ]);
        expect(shown.served).toEqual([]);
        const claimed = await catalog.admit(everything, claim);
        expect(claimed).toMatchObject([{ id: waiting(2).id, leaseOwner: me, admittedAtMs: 77_000 }]);
        expect(await catalog.admit(everything, claim)).toEqual([]);
        const open = (await catalog.listOpenOperations()).find((one) => one.operation.id === waiting(2).id);
        expect(open?.leaseLeftMs).toBeGreaterThan(20_000);
      });

      it("tells when the projects that wait were served last, by kind", async () => {
        await catalog.createOperation(waiting(1), lease);
        await catalog.admit(everything, { ...claim, nowMs: 50 });
        await catalog.createOperation(waiting(2), lease);
        await catalog.admit(everything, { ...claim, nowMs: 60 });
        await catalog.finishOperation(waiting(1).id, me, { outcome: "Completed", finishedAtMs: 9 });
        expect((await catalog.observeQueue()).served).toEqual([]);
        await catalog.createOperation(waiting(3), lease);
        const { served } = await catalog.observeQueue();
        expect(served).toEqual([{ projectId: "shop", kind: "backup", atMs: 60 }]);
      });

      it("tells what is said of the projects that wait", async () => {
        const project = (projectId: string, maxConcurrentOperations: number) =>
          catalog.putDefinition(
            { kind: "project", projectId, name: projectId, spec: { maxConcurrentOperations }, nowMs: 1 },
            "absent",
          );
        await project("shop", 2);
        await project("other", 3);
        expect((await catalog.observeQueue()).projects).toEqual([]);
        await catalog.createOperation(waiting(1), lease);
        expect((await catalog.observeQueue()).projects).toEqual([
          { projectId: "shop", spec: { maxConcurrentOperations: 2 } },
        ]);
        await catalog.removeDefinition({ kind: "project", projectId: "shop", name: "shop" }, { nowMs: 2 });
        expect((await catalog.observeQueue()).projects).toEqual([]);
      });

      it("never lets more begin than were chosen, whoever asks at the same moment", async () => {
        for (let count = 1; count <= 9; count += 1) await catalog.createOperation(waiting(count), lease);
        const others = isShared ? [subject.openAnother(), subject.openAnother()] : [];
        const atMost = 4;
        // Each has others in mind, so that nothing but the look itself keeps them from being too many together.
        const chooseFrom = (start: number) => (queue: QueueObservation) => {
          const free = atMost - queue.open.filter((each) => !isWaiting(each)).length;
          const all = everything(queue);
          return [...all.slice(start), ...all.slice(0, start)].slice(0, Math.max(0, Math.min(2, free)));
        };
        const asked = [catalog, ...others].flatMap((each) => [each, each, each]);
        const claimed = await Promise.all(
          asked.map(async (each, index) => await each.admit(chooseFrom(index), claim)),
        );
        const ids = claimed.flat().map((each) => each.id);
        expect(ids).toHaveLength(atMost);
        expect(new Set(ids).size).toBe(atMost);
        for (const other of others) await other.close();
      });

      it("does not let begin what was cancelled, and does not cancel what has begun", async () => {
        await catalog.createOperation(waiting(1), lease);
        await catalog.createOperation(waiting(2), lease);
        const end = { outcome: "Cancelled", finishedAtMs: 9 } as const;
        expect(await catalog.finishOperation(waiting(1).id, nobody, end)).toBe(true);
        const both = () => [waiting(1), waiting(2)].map((one) => ({ id: one.id, owner: me }));
        expect(await catalog.admit(both, claim)).toMatchObject([{ id: waiting(2).id }]);
        expect(await catalog.finishOperation(waiting(2).id, nobody, end)).toBe(false);
        expect(await catalog.getBackup(waiting(1).id)).toMatchObject({ outcome: "Cancelled" });
      });

      it("takes back what its owner gives back, for a next attempt", async () => {
        await catalog.createOperation(waiting(1), lease);
        await catalog.admit(everything, claim);
        await catalog.startAttempt(waiting(1).id, me, 2, 99_000);
        expect(await catalog.returnToQueue(waiting(1).id, other)).toBe(false);
        expect(await catalog.returnToQueue(waiting(1).id, me)).toBe(true);
        const again = await catalog.getOperation(waiting(1).id);
        expect(again).toMatchObject({ leaseOwner: nobody, attempt: 3, admittedAtMs: 77_000 });
        expect(again?.notBeforeMs).toBeUndefined();
        expect(await catalog.renewLease(waiting(1).id, me, 30)).toEqual({ held: false });
        await catalog.admit(everything, claim);
        await catalog.finishOperation(waiting(1).id, me, { outcome: "Completed", finishedAtMs: 9 });
        expect(await catalog.returnToQueue(waiting(1).id, me)).toBe(false);
      });

      it("keeps what is to be tried later, and which stores nobody is sent to, until they answer", async () => {
        await catalog.createOperation(waiting(1), lease);
        await catalog.admit(everything, claim);
        expect(await catalog.returnToQueue(waiting(1).id, me, 99_000)).toBe(true);
        expect(await catalog.getOperation(waiting(1).id)).toMatchObject({ attempt: 2, notBeforeMs: 99_000 });
        const wait = { store: "http://minio:9000", sinceMs: 5, untilMs: 99_000, tries: 1 } as const;
        await catalog.putStoreWait({ ...wait, kind: "throttled" });
        await catalog.putStoreWait({ ...wait, kind: "away", tries: 2 });
        expect((await catalog.observeQueue()).storeWaits).toEqual([{ ...wait, kind: "away", tries: 2 }]);
        await catalog.removeStoreWait(wait.store);
        await catalog.removeStoreWait(wait.store);
        expect((await catalog.observeQueue()).storeWaits).toEqual([]);
      });
    });

    describe("places", () => {
      const second = { ...operation({ id: "backup-20260101-000000-000002" }), leaseOwner: other };

      it("are one operation's until it ends, under each of their names", async () => {
        await catalog.createOperation(operation(), lease);
        await catalog.createOperation(second, lease);
        expect(await catalog.holdPlaces(id, me, { names: ["a", "b"], beside: [] })).toEqual({ type: "held" });
        expect(await catalog.holdPlaces(id, me, { names: ["a", "b"], beside: [] })).toEqual({ type: "held" });
        expect((await catalog.getOperation(id))?.heldPlaces).toEqual(["a", "b"]);
        expect(await catalog.holdPlaces(second.id, other, { names: ["c", "b"], beside: [] })).toEqual({
          type: "busy",
          name: "b",
        });
        expect((await catalog.getOperation(second.id))?.heldPlaces).toBeUndefined();
        expect(await catalog.holdPlaces(second.id, me, { names: ["c"], beside: [] })).toEqual({
          type: "lost",
        });
        await catalog.finishOperation(id, me, { outcome: "Completed", finishedAtMs: 9 });
        expect(await catalog.holdPlaces(second.id, other, { names: ["c", "b"], beside: [] })).toEqual({
          type: "held",
        });
        expect(await catalog.holdPlaces(id, me, { names: ["x"], beside: [] })).toEqual({ type: "lost" });
      });

      it("are shared with what does not stand in the way", async () => {
        await catalog.createOperation(operation(), lease);
        await catalog.createOperation(second, lease);
        await catalog.holdPlaces(id, me, { names: ["a"], beside: [] });
        const asked = { names: ["a"], beside: ["backup"] } as const;
        expect(await catalog.holdPlaces(second.id, other, asked)).toEqual({ type: "held" });
      });

      it("are nobody's while their operation waits", async () => {
        await catalog.createOperation(operation(), lease);
        await catalog.createOperation(second, lease);
        await catalog.holdPlaces(id, me, { names: ["a"], beside: [] });
        await catalog.returnToQueue(id, me);
        expect(await catalog.holdPlaces(second.id, other, { names: ["a"], beside: [] })).toEqual({
          type: "held",
        });
      });

      it("are held by one of several that ask at the same moment", async () => {
        await catalog.createOperation(operation(), lease);
        await catalog.createOperation(second, lease);
        const another = isShared ? subject.openAnother() : undefined;
        const holds = await Promise.all([
          catalog.holdPlaces(id, me, { names: ["a"], beside: [] }),
          (another ?? catalog).holdPlaces(second.id, other, { names: ["a"], beside: [] }),
        ]);
        expect(holds.map(({ type }) => type).toSorted()).toEqual(["busy", "held"]);
        await another?.close();
      });

      it("are known by what was last found there, for a year and more", async () => {
        const day = 24 * 3_600_000;
        await catalog.rememberPlaces([{ place: "postgres://db/shop", names: ["x"] }], 1);
        await catalog.rememberPlaces([{ place: "postgres://db/shop", names: ["y"] }], 2);
        await catalog.rememberPlaces([{ place: "file:///srv", names: ["z"] }], 300 * day);
        expect(await catalog.listKnownPlaces()).toHaveLength(2);
        expect(await catalog.listKnownPlaces()).toContainEqual({ place: "postgres://db/shop", names: ["y"] });
        await catalog.createOperation({ ...operation(), leaseOwner: nobody }, lease);
        expect((await catalog.observeQueue()).knownPlaces).toHaveLength(2);
        await catalog.rememberPlaces([], 450 * day);
        expect(await catalog.listKnownPlaces()).toEqual([{ place: "file:///srv", names: ["z"] }]);
      });
    });

    describe("operations", () => {
      it("gives an operation back as it was accepted, on its first attempt", async () => {
        expect(await catalog.createOperation(operation(), lease)).toBe(true);
        expect(await catalog.getOperation(id)).toEqual({
          ...operation(),
          attempt: 1,
          cancelRequested: false,
        });
        expect(await catalog.getOperation("backup-none")).toBeUndefined();
        const found = await catalog.findOperations([id, "backup-none"]);
        expect(found).toEqual([await catalog.getOperation(id)]);
        expect(await catalog.findOperations([])).toEqual([]);
      });

      it("counts what there is, by kind, project, application and outcome", async () => {
        await catalog.createOperation(operation(), lease);
        await catalog.createOperation(operation({ id: "backup-20260101-000000-000002" }), lease);
        const { application: _, ...plain } = operation({ id: "restore-1", kind: "restore" });
        await catalog.createOperation(plain, lease);
        await catalog.finishOperation(id, me, { outcome: "Completed", finishedAtMs: 5_000 });
        const counts = await catalog.countOperations();
        expect(counts).toHaveLength(3);
        const common = { kind: "backup", projectId: "shop", application: "liferay", count: 1 };
        expect(counts).toContainEqual({ ...common, outcome: "Completed", durationMs: 4_000 });
        expect(counts).toContainEqual({ ...common, durationMs: 0 });
        expect(counts).toContainEqual({ kind: "restore", projectId: "shop", count: 1, durationMs: 0 });
      });

      it("refuses a second operation of the same id and changes nothing", async () => {
        await catalog.createOperation(operation(), lease);
        expect(await catalog.createOperation(operation({ leaseOwner: other }), lease)).toBe(false);
        expect((await catalog.getOperation(id))?.leaseOwner).toBe(me);
      });

      it("renews a lease for its owner only", async () => {
        await catalog.createOperation(operation(), lease);
        subject.passSeconds(25);
        expect(await catalog.renewLease(id, me, 30)).toEqual({ held: true });
        expect(await catalog.renewLease(id, other, 30)).toEqual({ held: false });
        const [open] = await catalog.listOpenOperations();
        // A server's clock goes on meanwhile; without the renewal there would be five seconds at most.
        expect(open?.leaseLeftMs).toBeGreaterThan(5_000);
        expect(open?.leaseLeftMs).toBeLessThanOrEqual(30_000);
      });

      it("tells how much of a lease is left, and that it ran out", async () => {
        await catalog.createOperation(operation(), lease);
        subject.passSeconds(31);
        const [open] = await catalog.listOpenOperations();
        expect(open?.leaseLeftMs).toBeLessThanOrEqual(-1_000);
      });

      it("lets exactly one of several take an operation over", async () => {
        await catalog.createOperation(operation(), lease);
        const takers = ["a", "b", "c", "d"];
        const taken = await Promise.all(
          takers.map(async (taker) => await catalog.takeOver(id, me, taker, lease)),
        );
        expect(taken.filter(Boolean)).toHaveLength(1);
        expect((await catalog.getOperation(id))?.leaseOwner).toBe(takers[taken.indexOf(true)]);
      });

      it("lets an owner that lost its lease change nothing", async () => {
        await catalog.createOperation(operation(), lease);
        await catalog.startTask({ ...prepare, startedAtMs: 1 }, me);
        await catalog.takeOver(id, me, other, lease);
        expect(await catalog.renewLease(id, me, 30)).toEqual({ held: false });
        expect(await catalog.startTask({ ...prepare, name: "files", startedAtMs: 1 }, me)).toBe(false);
        expect(await catalog.updateTask(prepare, me, { state: "done" })).toBe(false);
        expect(await catalog.removeTask(prepare, me)).toBe(false);
        expect(await catalog.startAttempt(id, me, 2, 0)).toBe(false);
        expect(await catalog.finishOperation(id, me, { finishedAtMs: 1, outcome: "Completed" })).toBe(false);
        expect((await catalog.listTasks(id)).map(({ name, state }) => `${name} ${state}`)).toEqual([
          "prepare running",
        ]);
        expect((await catalog.getOperation(id))?.end).toBeUndefined();
      });

      it("records an end once, and nothing after it", async () => {
        await catalog.createOperation(operation(), lease);
        const failure = { code: "disk-full", message: "No space.", retry: "never" } as const;
        expect(await catalog.finishOperation(id, me, { finishedAtMs: 9, outcome: "Failed", failure })).toBe(
          true,
        );
        expect(await catalog.finishOperation(id, me, { finishedAtMs: 10, outcome: "Completed" })).toBe(false);
        expect(await catalog.takeOver(id, me, other, lease)).toBe(false);
        expect(await catalog.requestCancel(id)).toBe(false);
        expect((await catalog.getOperation(id))?.end).toEqual({
          finishedAtMs: 9,
          outcome: "Failed",
          failure,
        });
        expect(await catalog.listOpenOperations()).toEqual([]);
      });

      it("notes a request to cancel", async () => {
        await catalog.createOperation(operation(), lease);
        expect(await catalog.requestCancel(id)).toBe(true);
        expect(await catalog.requestCancel(id)).toBe(true);
        expect((await catalog.getOperation(id))?.cancelRequested).toBe(true);
        expect(await catalog.requestCancel("backup-none")).toBe(false);
      });

      it("starts each attempt once", async () => {
        await catalog.createOperation(operation(), lease);
        expect(await catalog.startAttempt(id, me, 2, 5_000)).toBe(true);
        expect(await catalog.startAttempt(id, me, 2, 6_000)).toBe(false);
        expect(await catalog.getOperation(id)).toMatchObject({ attempt: 2, notBeforeMs: 5_000 });
      });

      it("lists operations of a kind and project newest first, in pages with a total", async () => {
        for (const [index, projectId] of ["shop", "shop", "blog", "shop"].entries()) {
          await catalog.createOperation(
            operation({ id: `restore-${index}`, kind: "restore", projectId, createdAtMs: index }),
            lease,
          );
        }
        await catalog.createOperation(operation(), lease);
        const page = await catalog.listOperations({
          kind: "restore",
          projectId: "shop",
          limit: 2,
          offset: 1,
        });
        expect(page.operations.map((one) => one.id)).toEqual(["restore-1", "restore-0"]);
        expect(page.total).toBe(3);
      });
    });

    describe("tasks and log", () => {
      it("starts a task of a name once in an attempt", async () => {
        await catalog.createOperation(operation(), lease);
        expect(await catalog.startTask({ ...prepare, startedAtMs: 5 }, me)).toBe(true);
        expect(await catalog.startTask({ ...prepare, startedAtMs: 6 }, me)).toBe(false);
        expect(await catalog.startTask({ ...prepare, attempt: 2, startedAtMs: 7 }, me)).toBe(true);
        expect((await catalog.listTasks(id)).map((task) => task.startedAtMs)).toEqual([5, 7]);
      });

      it("gives back what was recorded of a task, in any order of records", async () => {
        await catalog.createOperation(operation(), lease);
        await catalog.startTask({ ...prepare, startedAtMs: 5 }, me);
        await catalog.updateTask(prepare, me, { worker: "w" });
        await catalog.updateTask(prepare, me, { progress: { bytes: 5 } });
        await catalog.updateTask(prepare, me, { recoveryPoint: "2026-01-01T00:00:00Z" });
        const failure = { code: "disk-full", message: "No space.", retry: "never" } as const;
        await catalog.updateTask(prepare, me, {
          state: "failed",
          failure,
          result: { n: 1 },
          finishedAtMs: 8,
        });
        expect(await catalog.listTasks(id)).toEqual([
          {
            ...prepare,
            state: "failed",
            worker: "w",
            startedAtMs: 5,
            finishedAtMs: 8,
            progress: { bytes: 5 },
            recoveryPoint: "2026-01-01T00:00:00Z",
            result: { n: 1 },
            failure,
          },
        ]);
      });

      it("removes a task that is to be run anew", async () => {
        await catalog.createOperation(operation(), lease);
        await catalog.startTask({ ...prepare, startedAtMs: 5 }, me);
        expect(await catalog.removeTask(prepare, me)).toBe(true);
        expect(await catalog.startTask({ ...prepare, startedAtMs: 6 }, me)).toBe(true);
      });

      it("keeps any characters of a log line but NUL, which no database holds", async () => {
        await catalog.createOperation(operation(), lease);
        const message = "d\u00e9j\u00e0 \u{1F4BE} '\"\\ $1 ?\n\t";
        await catalog.appendLog(id, { at: "2026-01-01T00:00:00Z", level: "warn", message });
        await catalog.appendLog(id, { at: "2026-01-01T00:00:00Z", level: "warn", message: "a\0b" });
        expect((await catalog.listLog(id)).map((line) => line.message)).toEqual([message, "a\uFFFDb"]);
      });

      it("keeps the newest lines of a log, oldest first", async () => {
        await catalog.createOperation(operation(), lease);
        for (let line = 0; line < maximumLogLines + 3; line += 1) {
          await catalog.appendLog(id, { at: "2026-01-01T00:00:00Z", level: "info", message: `line ${line}` });
        }
        const lines = await catalog.listLog(id);
        expect(lines).toHaveLength(maximumLogLines);
        expect(lines[0]?.message).toBe("line 3");
        expect(lines.at(-1)).toEqual({
          at: "2026-01-01T00:00:00Z",
          level: "info",
          message: `line ${maximumLogLines + 2}`,
        });
      });
    });

    describe("the index of backups", () => {
      it("lists a backup from its first moment, open until its end", async () => {
        await catalog.createOperation(operation(), lease);
        const open = await catalog.listBackups({ outcome: "open", limit: 10 });
        expect(open.backups).toEqual([
          {
            backupId: id,
            projectId: "shop",
            application: "liferay",
            repository: "file:///srv/backups",
            createdAtMs: 1_000,
          },
        ]);
        await catalog.finishOperation(id, me, { finishedAtMs: 9, outcome: "Cancelled" });
        expect((await catalog.listBackups({ outcome: "open", limit: 10 })).total).toBe(0);
        expect(await catalog.getBackup(id)).toMatchObject({ outcome: "Cancelled", finishedAtMs: 9 });
      });

      it("keeps a seal's facts when the operation's end is recorded after it", async () => {
        await catalog.createOperation(operation(), lease);
        await catalog.putBackup(sealed());
        await catalog.finishOperation(id, me, { finishedAtMs: 9_000, outcome: "Completed" });
        expect(await catalog.getBackup(id, "shop")).toMatchObject({
          outcome: "Completed",
          finishedAtMs: 2_000,
          storedBytes: 5_000_000_000,
        });
        expect(await catalog.getBackupMetadata(id, "shop")).toEqual({ format: "lc2-backup" });
      });

      it("takes in what a scan found, twice as once, without forgetting a verification", async () => {
        await catalog.putBackup(sealed());
        await catalog.markBackup(id, "shop", { verifiedAtMs: 3_000 });
        await catalog.putBackup(sealed({ repository: "file:///mnt/moved" }));
        const { backups, total } = await catalog.listBackups({ limit: 10 });
        expect(total).toBe(1);
        expect(backups[0]).toMatchObject({ repository: "file:///mnt/moved", verifiedAtMs: 3_000 });
      });

      it("gives a slot's backup another id than one that a scan brought back, whose operation is forgotten", async () => {
        await catalog.putBackup(sealed());
        const another = "backup-20260101-000000-000002";
        const make = (turn: number) =>
          operation({ id: turn === 0 ? sealed().backupId : another, leaseOwner: nobody });
        const slots = [{ slotMs: 1_000, outcome: "ran", operation: make }] as const;
        const key = { projectId: "shop", name: "hourly" };
        const record = { key, cause: "due", accountedUntilMs: undefined, nowMs: 2_000, slots } as const;
        expect(await catalog.recordSlots(record)).toBe(true);
        expect((await catalog.observeSchedule(key, 2_000)).open).toMatchObject([{ id: another }]);
        expect(await catalog.getBackup(sealed().backupId, "shop")).toMatchObject({ outcome: "Completed" });
      });

      it("does not list a deleted backup, and lists it again when it was seen again", async () => {
        await catalog.putBackup(sealed());
        await catalog.markBackup(id, "shop", { deletedAtMs: 4_000 });
        expect(await catalog.listBackups({ limit: 10 })).toEqual({ backups: [], total: 0 });
        expect((await catalog.getBackup(id))?.deletedAtMs).toBe(4_000);
        await catalog.putBackup(sealed());
        expect((await catalog.listBackups({ limit: 10 })).total).toBe(1);
      });

      it("keeps further places of a backup, each once, and forgets them one by one", async () => {
        await catalog.putBackup(sealed());
        const copy = { backupId: id, projectId: "shop", repository: "file:///usb", copiedAtMs: 5_000 };
        await catalog.putCopy({ ...copy, repository: "s3://elsewhere", copiedAtMs: 6_000 });
        await catalog.putCopy(copy);
        await catalog.putCopy({ ...copy, copiedAtMs: 7_000 });
        await catalog.putCopy({ ...copy, projectId: "blog" });
        expect(await catalog.listCopies(id, "shop")).toEqual([
          copy,
          { ...copy, repository: "s3://elsewhere", copiedAtMs: 6_000 },
        ]);
        await catalog.removeCopy(id, "shop", "file:///usb");
        await catalog.removeCopy(id, "shop", "file:///usb");
        expect(await catalog.listCopies(id, "shop")).toHaveLength(1);
        expect(await catalog.listCopies(id, "blog")).toHaveLength(1);
      });

      it("lists a backup once in each repository that it is in", async () => {
        await catalog.putBackup(sealed());
        await catalog.putBackup(sealed({ backupId: "backup-other" }));
        const copy = { backupId: id, projectId: "shop", copiedAtMs: 5_000 };
        await catalog.putCopy({ ...copy, repository: "file:///usb" });
        await catalog.putCopy({ ...copy, repository: "s3://elsewhere" });
        const found = await catalog.listBackups({ repository: "file:///usb", limit: 10 });
        expect(found).toMatchObject({ total: 1, backups: [{ backupId: id }] });
        expect((await catalog.listBackups({ limit: 10 })).total).toBe(2);
        expect((await catalog.listBackups({ repository: "file:///none", limit: 10 })).total).toBe(0);
      });

      it("tells backups of one id in two projects apart", async () => {
        await catalog.putBackup(sealed());
        await catalog.putBackup(sealed({ projectId: "blog", metadata: { of: "blog" } }));
        expect((await catalog.getBackup(id, "blog"))?.projectId).toBe("blog");
        expect(await catalog.getBackupMetadata(id, "blog")).toEqual({ of: "blog" });
      });

      it("notes where else a backup is, once a place", async () => {
        const copy = { backupId: id, projectId: "shop", repository: "file:///mnt/b", copiedAtMs: 20 };
        await catalog.putCopy(copy);
        await catalog.putCopy({ ...copy, repository: "file:///mnt/a", copiedAtMs: 10 });
        await catalog.putCopy({ ...copy, copiedAtMs: 30 });
        await catalog.putCopy({ ...copy, projectId: "blog" });
        const places = async () => (await catalog.listCopies(id, "shop")).map(({ repository }) => repository);
        expect(await catalog.listCopies(id, "blog")).toEqual([{ ...copy, projectId: "blog" }]);
        expect(await places()).toEqual(["file:///mnt/a", "file:///mnt/b"]);
        await catalog.removeCopy(id, "shop", "file:///mnt/a");
        await catalog.removeCopy(id, "shop", "file:///mnt/a");
        expect(await places()).toEqual(["file:///mnt/b"]);
      });

      it("filters and pages, newest first, with the total of all that match", async () => {
        for (let index = 0; index < 20; index += 1) {
          await catalog.putBackup(
            sealed({
              backupId: `backup-${String(index).padStart(2, "0")}`,
              projectId: index % 2 === 0 ? "shop" : "blog",
              repository: index < 10 ? "file:///a" : "file:///b",
              createdAtMs: index * 100,
              ...(index % 4 === 0 ? { application: "drupal" } : {}),
              ...(index % 8 === 0 ? { environment: "prod" } : {}),
            }),
          );
        }
        const ids = async (query: object) =>
          (await catalog.listBackups({ limit: 100, ...query })).backups.map(({ backupId }) =>
            backupId.slice(7),
          );
        expect(await ids({ projectId: "shop", limit: 3 })).toEqual(["18", "16", "14"]);
        expect(await ids({ projectId: "shop", limit: 3, offset: 8 })).toEqual(["02", "00"]);
        for (const page of [{ limit: 3 }, { limit: 3, offset: 9 }, { limit: 3, offset: 10 }, { limit: 20 }]) {
          expect((await catalog.listBackups({ projectId: "shop", ...page })).total).toBe(10);
        }
        expect(await ids({ application: "drupal" })).toEqual(["16", "12", "08", "04", "00"]);
        expect(await ids({ environment: "prod" })).toEqual(["16", "08", "00"]);
        expect(await ids({ sinceMs: 500, untilMs: 700 })).toEqual(["07", "06", "05"]);
        expect(await ids({ repository: "file:///b", projectId: "blog" })).toEqual([
          "19",
          "17",
          "15",
          "13",
          "11",
        ]);
        expect(await ids({ outcome: "Failed" })).toEqual([]);
        expect(await ids({ outcome: "Completed", limit: 1 })).toEqual(["19"]);
      });
    });

    describe("restores", () => {
      it("gathers what is known of a restore, piece by piece", async () => {
        await catalog.putRestore("restore-1", { backupId: id });
        await catalog.putRestore("restore-1", { plan: { hash: "h" }, approvedAtMs: 5 });
        await catalog.putRestore("restore-1", { undone: { database: { swappedBack: true } }, undoneAtMs: 6 });
        expect(await catalog.getRestore("restore-1")).toEqual({
          restoreId: "restore-1",
          backupId: id,
          plan: { hash: "h" },
          approvedAtMs: 5,
          undone: { database: { swappedBack: true } },
          undoneAtMs: 6,
        });
        expect(await catalog.getRestore("restore-2")).toBeUndefined();
      });

      it("lists retired databases until they are dropped", async () => {
        await catalog.putRestore("restore-2", { retiredDatabase: "b_old", retiredAtMs: 20 });
        await catalog.putRestore("restore-1", { retiredDatabase: "a_old", retiredAtMs: 10 });
        expect((await catalog.listRetiredDatabases()).map(({ restoreId }) => restoreId)).toEqual([
          "restore-1",
          "restore-2",
        ]);
        await catalog.putRestore("restore-1", { droppedAtMs: 30 });
        expect((await catalog.listRetiredDatabases()).map(({ restoreId }) => restoreId)).toEqual([
          "restore-2",
        ]);
      });

      it("lets one at a time act on a retired database", async () => {
        await catalog.putRestore("restore-1", { retiredDatabase: "a_old", retiredAtMs: 10 });
        expect(await catalog.claimRetired("restore-1", 100, 200)).toBe(true);
        expect(await catalog.claimRetired("restore-1", 150, 250)).toBe(false);
        expect(await catalog.claimRetired("restore-1", 200, 300)).toBe(true);
        await catalog.putRestore("restore-1", { droppedAtMs: 30 });
        expect(await catalog.claimRetired("restore-1", 400, 500)).toBe(false);
      });
    });

    if (!isShared) return;
    describe("shared by several", () => {
      let others: readonly Catalog[];
      let all: readonly Catalog[];
      beforeEach(() => {
        others = [subject.openAnother(), subject.openAnother(), subject.openAnother()];
        all = [catalog, ...others];
      });
      afterEach(async () => {
        for (const one of others) await one.close();
      });
      const rounds = Array.from({ length: 10 }, (_, index) => index);

      it("loses nothing of what all write at once", async () => {
        await catalog.createOperation(operation(), lease);
        await Promise.all(
          all.map(async (one, index) => {
            for (let line = 0; line < 25; line += 1) {
              await one.putBackup(sealed({ backupId: `backup-${index}-${line}` }));
              await one.appendLog(id, { at: "", level: "info", message: `${index} ${line}` });
            }
          }),
        );
        expect((await catalog.listBackups({ limit: 1 })).total).toBe(101);
        expect(new Set((await catalog.listLog(id)).map(({ message }) => message)).size).toBe(100);
      });

      it("gives an operation of one id to one of those who create it at once", async () => {
        for (const round of rounds) {
          const created = await Promise.all(
            all.map(
              async (one, index) =>
                await one.createOperation(
                  operation({ id: `backup-${round}`, leaseOwner: `${index}` }),
                  lease,
                ),
            ),
          );
          expect(created.filter(Boolean)).toHaveLength(1);
          const winner = await catalog.getOperation(`backup-${round}`);
          expect(winner?.leaseOwner).toBe(String(created.indexOf(true)));
        }
        expect((await catalog.listBackups({ limit: 1 })).total).toBe(rounds.length);
      });

      it("gives a dead one's operation to one of those who take it over at once", async () => {
        for (const round of rounds) {
          await catalog.createOperation(operation({ id: `backup-${round}` }), lease);
          const taken = await Promise.all(
            all.map(async (one, index) => await one.takeOver(`backup-${round}`, me, `${index}`, lease)),
          );
          expect(taken.filter(Boolean)).toHaveLength(1);
          const winner = await catalog.getOperation(`backup-${round}`);
          expect(winner?.leaseOwner).toBe(String(taken.indexOf(true)));
        }
      });

      it("starts a task and an attempt, records an end and reserves a retired database once", async () => {
        for (const round of rounds) {
          const key = { operationId: `backup-${round}`, attempt: 1, name: "prepare" };
          const once = async (step: (one: Catalog, index: number) => Promise<boolean>): Promise<void> => {
            expect((await Promise.all(all.map(step))).filter(Boolean)).toHaveLength(1);
          };
          await catalog.createOperation(operation({ id: key.operationId }), lease);
          await catalog.putRestore(`restore-${round}`, { retiredDatabase: "a_old", retiredAtMs: 10 });
          await once(async (one) => await one.startTask({ ...key, startedAtMs: 5 }, me));
          await once(async (one) => await one.startAttempt(key.operationId, me, 2, 0));
          await once(async (one) => await one.claimRetired(`restore-${round}`, 100, 200));
          await once(
            async (one, index) =>
              await one.finishOperation(key.operationId, me, { finishedAtMs: index, outcome: "Completed" }),
          );
        }
      });

      it("shows the next owner everything that the one before it wrote, and nothing later", async () => {
        for (const round of rounds) {
          const key = { operationId: `backup-${round}`, attempt: 1, name: "prepare" };
          await catalog.createOperation(operation({ id: key.operationId }), lease);
          await catalog.startTask({ ...key, startedAtMs: 5 }, me);
          const [first, second] = others;
          const writing = Array.from({ length: 6 }, async (_, index) => {
            const written = await (first ?? catalog).updateTask(key, me, { progress: index });
            return written ? index : undefined;
          });
          await (second ?? catalog).takeOver(key.operationId, me, other, lease);
          const seen = (await catalog.listTasks(key.operationId))[0]?.progress;
          await Promise.all(writing);
          expect((await catalog.listTasks(key.operationId))[0]?.progress).toEqual(seen);
        }
      });
    });
  });
}
