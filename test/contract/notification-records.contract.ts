import { describe, expect, it } from "vitest";
import type { Happening } from "../../src/core/notification/happening.ts";
import type { Catalog } from "../../src/core/ports/catalog.ts";
import type { Delivery, NewDelivery } from "../../src/core/ports/notification-records.ts";

const happening: Happening = {
  id: "failed/backup-1",
  event: "failed",
  projectId: "retail",
  at: "2026-01-01T00:00:00.000Z",
  title: "It failed",
  text: "Look.",
  facts: { operationId: "backup-1" },
};
const plan = (change: Partial<NewDelivery> = {}): NewDelivery => ({
  id: "msg_1",
  projectId: "retail",
  name: "ops",
  happening,
  createdAtMs: 1_000,
  ...change,
});
const due = (change: Partial<Delivery> = {}): Delivery => ({
  ...plan(),
  state: "due",
  dueAtMs: 1_000,
  tries: 0,
  ...change,
});
const ofOps = { projectId: "retail", name: "ops", limit: 10 };

/** What every catalog must do with deliveries. */
export function describeNotificationRecords(catalog: () => Catalog): void {
  describe("deliveries", () => {
    it("are planned once, however often they are planned", async () => {
      await catalog().planDeliveries([plan(), plan({ createdAtMs: 2_000 })]);
      await catalog().planDeliveries([plan({ name: "others" }), plan({ id: "msg_2", createdAtMs: 3_000 })]);
      expect(await catalog().listDeliveries(ofOps)).toEqual([
        due({ id: "msg_2", createdAtMs: 3_000, dueAtMs: 3_000 }),
        due(),
      ]);
    });

    it("are taken by one caller of several, the one due for longest first, and are due again when nothing is heard", async () => {
      await catalog().planDeliveries([plan({ id: "msg_2", createdAtMs: 2_000 }), plan()]);
      expect(await catalog().claimDelivery(999, 5_000)).toBeUndefined();
      const takers = Array.from({ length: 6 }, async () => await catalog().claimDelivery(2_000, 5_000));
      const taken = (await Promise.all(takers)).flatMap((one) => one?.id ?? []);
      expect(taken.toSorted()).toEqual(["msg_1", "msg_2"]);
      expect(await catalog().claimDelivery(4_999, 9_000)).toBeUndefined();
      expect(await catalog().claimDelivery(5_000, 9_000)).toMatchObject({ tries: 2, dueAtMs: 9_000 });
    });

    it("keep how they went, and what has arrived stays so", async () => {
      await catalog().planDeliveries([plan()]);
      await catalog().claimDelivery(1_000, 5_000);
      await catalog().recordDelivery("msg_1", { state: "due", dueAtMs: 7_000, error: "away" });
      expect(await catalog().listDeliveries(ofOps)).toEqual([
        due({ dueAtMs: 7_000, tries: 1, error: "away" }),
      ]);
      await catalog().recordDelivery("msg_1", { state: "delivered", deliveredAtMs: 8_000 });
      await catalog().recordDelivery("msg_1", { state: "given-up", error: "too late" });
      const [delivery] = await catalog().listDeliveries(ofOps);
      expect(delivery).toMatchObject({ state: "delivered", deliveredAtMs: 8_000 });
      expect(delivery).not.toHaveProperty("error");
      expect(await catalog().claimDelivery(9_000, 10_000)).toBeUndefined();
    });

    it("are forgotten by age", async () => {
      await catalog().planDeliveries([plan(), plan({ id: "msg_2", createdAtMs: 2_000 })]);
      await catalog().forgetDeliveries(2_000);
      expect((await catalog().listDeliveries(ofOps)).map(({ id }) => id)).toEqual(["msg_2"]);
    });
  });

  describe("finished operations", () => {
    it("are listed by their end, from an instant on", async () => {
      const operation = {
        kind: "copy",
        projectId: "retail",
        requestId: "req-1",
        spec: {},
        repository: "file:///r",
        createdAtMs: 1,
        leaseOwner: "me",
      } as const;
      for (const [id, finishedAtMs] of [
        ["b", 20],
        ["a", 30],
        ["c", 10],
      ] as const) {
        await catalog().createOperation({ ...operation, id }, { seconds: 30 });
        await catalog().finishOperation(id, "me", { finishedAtMs, outcome: "Completed" });
      }
      await catalog().createOperation({ ...operation, id: "open" }, { seconds: 30 });
      const list = async (sinceMs: number, limit: number) =>
        (await catalog().listFinishedOperations({ sinceMs, limit })).map(({ id }) => id);
      expect(await list(20, 10)).toEqual(["b", "a"]);
      expect(await list(0, 2)).toEqual(["c", "b"]);
    });
  });
}
