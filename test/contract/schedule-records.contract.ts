import { describe, expect, it } from "vitest";
import { nobody } from "../../src/core/operation/operation.ts";
import type { Catalog, NewOperation } from "../../src/core/ports/catalog.ts";
import type { ScheduleRecords, SlotsToRecord } from "../../src/core/ports/schedule-records.ts";

const key = { projectId: "shop", name: "nightly" };
const hourMs = 3_600_000;
const night = Date.UTC(2026, 10, 10, 2);

const backup = (id: string): NewOperation => ({
  id: `backup-20261110-020000-00000${id}`,
  kind: "backup",
  projectId: "shop",
  requestId: "req-1",
  spec: { spec: { projectId: "shop" } },
  repository: "file:///srv/backups",
  createdAtMs: night,
  leaseOwner: nobody,
});
const run = (slotMs: number, id: string) =>
  ({ slotMs, outcome: "ran", operation: () => backup(id) }) as const;
const missed = (slotMs: number) => ({ slotMs, outcome: "missed", message: "Nobody was there." }) as const;
const toRecord = (slots: SlotsToRecord["slots"], change: Partial<SlotsToRecord> = {}): SlotsToRecord => ({
  key,
  cause: "due",
  accountedUntilMs: undefined,
  nowMs: night + hourMs,
  slots,
  ...change,
});

type Subject = ScheduleRecords &
  Pick<Catalog, "getOperation" | "admit" | "requestCancel" | "finishOperation" | "observeQueue">;

/** What a catalog must do for schedules. */
export function describeScheduleRecords(
  open: () => { readonly catalog: Subject; readonly openAnother: () => Subject & Pick<Catalog, "close"> },
  { isShared }: { readonly isShared: boolean },
): void {
  describe("slots of schedules", () => {
    it("are answered together with the backup that waits for one of them", async () => {
      const { catalog } = open();
      expect(await catalog.observeSchedule(key, night)).toEqual({ open: [], ended: [] });
      expect(await catalog.recordSlots(toRecord([missed(night - hourMs), run(night, "1")]))).toBe(true);
      expect((await catalog.getOperation(backup("1").id))?.leaseOwner).toBe(nobody);
      const isOpen = { id: backup("1").id, slotMs: night, isWaiting: true, cancelRequested: false };
      const facts = { accountedUntilMs: night, open: [isOpen], ended: [] };
      expect(await catalog.observeSchedule(key, night + hourMs)).toEqual(facts);
      const { slots, total } = await catalog.listSlots({ ...key, limit: 10 });
      expect(total).toBe(2);
      expect(slots.map(({ outcome, operationId, message }) => [outcome, operationId, message])).toEqual([
        ["ran", backup("1").id, undefined],
        ["missed", undefined, "Nobody was there."],
      ]);
      expect(await catalog.findSlots([backup("1").id, "backup-x"])).toEqual([slots[0]]);
      expect(await catalog.findSlots([])).toEqual([]);
    });

    it("tell how backups ended, newest first", async () => {
      const { catalog } = open();
      await catalog.recordSlots(toRecord([run(night, "1")]));
      await catalog.admit(() => [{ id: backup("1").id, owner: "me" }], { seconds: 30, nowMs: night + 10 });
      await catalog.requestCancel(backup("1").id);
      expect((await catalog.observeSchedule(key, night)).open).toMatchObject([
        { isWaiting: false, cancelRequested: true },
      ]);
      const end = { finishedAtMs: night + 99, outcome: "Cancelled" } as const;
      await catalog.finishOperation(backup("1").id, "me", end);
      expect(await catalog.observeSchedule(key, night)).toEqual({
        accountedUntilMs: night,
        open: [],
        ended: [
          { createdAtMs: night, begunAtMs: night + 10, finishedAtMs: night + 99, outcome: "Cancelled" },
        ],
      });
    });

    it("are not answered by who has not seen the last answer, and never twice", async () => {
      const { catalog } = open();
      expect(await catalog.recordSlots(toRecord([run(night, "1")]))).toBe(true);
      expect(await catalog.recordSlots(toRecord([run(night, "2")]))).toBe(false);
      const seen = { accountedUntilMs: night };
      expect(await catalog.recordSlots(toRecord([run(night, "3"), missed(night + 1)], seen))).toBe(true);
      expect((await catalog.listSlots({ limit: 10 })).slots.map(({ operationId }) => operationId)).toEqual([
        undefined,
        backup("1").id,
      ]);
      expect(await catalog.getOperation(backup("3").id)).toBeUndefined();
    });

    it("have one backup, however many ask at the same moment", async () => {
      const { catalog, openAnother } = open();
      const others = isShared ? [openAnother(), openAnother()] : [];
      const all = [catalog, catalog, ...others];
      const ids = "123456".slice(0, all.length);
      const answers = await Promise.all(
        all.map(async (each, index) => await each.recordSlots(toRecord([run(night, ids[index] ?? "9")]))),
      );
      expect(answers.filter(Boolean)).toHaveLength(1);
      expect((await catalog.observeQueue()).open).toHaveLength(1);
      await Promise.all(others.map(async (each) => await each.close()));
    });

    it("get another id where another schedule's backup has theirs", async () => {
      const { catalog } = open();
      await catalog.recordSlots(toRecord([run(night, "1")]));
      const operation = (turn: number) => backup(turn === 0 ? "1" : "2");
      const other = { key: { ...key, name: "other" } };
      await catalog.recordSlots(toRecord([{ slotMs: night, outcome: "ran", operation }], other));
      expect((await catalog.listSlots({ name: "other", limit: 1 })).slots[0]?.operationId).toBe(
        backup("2").id,
      );
    });

    it("that a clock which ran ahead called missed are open again when it is right", async () => {
      const { catalog } = open();
      const ahead = toRecord([missed(night), run(night + hourMs, "1")], { nowMs: night + 1000 * hourMs });
      await catalog.recordSlots(ahead);
      expect(await catalog.observeSchedule(key, night)).toMatchObject({ open: [{ slotMs: night + hourMs }] });
      expect((await catalog.observeSchedule(key, night)).accountedUntilMs).toBeUndefined();
      expect(await catalog.recordSlots(toRecord([run(night, "2")], { nowMs: night }))).toBe(true);
      expect((await catalog.observeSchedule(key, night)).accountedUntilMs).toBe(night);
      expect((await catalog.observeSchedule(key, night + hourMs)).accountedUntilMs).toBe(night + hourMs);
    });

    it("that a person asked for leave the times of the schedule alone", async () => {
      const { catalog } = open();
      const now = toRecord([run(night + 5, "1")], { cause: "run-now", nowMs: night + 5 });
      expect(await catalog.recordSlots(now)).toBe(true);
      const facts = await catalog.observeSchedule(key, night + hourMs);
      expect(facts.accountedUntilMs).toBeUndefined();
      expect(facts.open).toHaveLength(1);
      expect(await catalog.recordSlots(toRecord([run(night, "2")]))).toBe(true);
    });

    it("that two people asked for in one millisecond have a backup each", async () => {
      const { catalog } = open();
      for (const id of ["1", "2"])
        await catalog.recordSlots(toRecord([run(night, id)], { cause: "run-now", nowMs: night }));
      const { slots } = await catalog.listSlots({ limit: 10 });
      expect(slots.map(({ operationId, slotMs }) => [operationId, slotMs])).toEqual([
        [backup("2").id, night + 1],
        [backup("1").id, night],
      ]);
    });

    it("are listed by outcome and counted by schedule", async () => {
      const { catalog } = open();
      await catalog.recordSlots(toRecord([missed(night), missed(night + 1), run(night + 2, "1")]));
      const { slots, total } = await catalog.listSlots({
        projectId: "shop",
        outcome: "missed",
        limit: 1,
        offset: 1,
      });
      expect([slots.map(({ slotMs }) => slotMs), total]).toEqual([[night], 2]);
      expect((await catalog.listSlots({ recordedSinceMs: night + 2 * hourMs, limit: 1 })).total).toBe(0);
      const counts = await catalog.countSlots();
      expect(counts.toSorted((a, b) => a.count - b.count)).toEqual([
        { ...key, outcome: "ran", count: 1, newestMs: night + 2 },
        { ...key, outcome: "missed", count: 2, newestMs: night + 1 },
      ]);
    });
  });
}
