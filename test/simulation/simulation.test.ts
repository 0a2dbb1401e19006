import { describe, expect, test } from "vitest";
import { isWaiting, type Operation } from "../../src/core/operation/operation.ts";
import { describeScheduleRecords } from "../contract/schedule-records.contract.ts";
import { MemoryCatalog, type QueueAndSchedules } from "./memory-catalog.ts";
import { simulateYear } from "./simulate-year.ts";

describe("the catalog of the simulation", () => {
  const open = () => ({
    catalog: new MemoryCatalog(),
    openAnother: () => Object.assign(new MemoryCatalog(), { close: async () => await Promise.resolve() }),
  });
  describeScheduleRecords(open, { isShared: false });
});

/** Part of a year: this is run with every change, the whole of it by `npm run simulate`. */
const small = { days: 40, projects: 20 };

test.each([1, 2, 3, 4])(
  "seed %i: every slot has its answer, and everything comes to its end",
  async (seed) => {
    const { slots, ran, violations } = await simulateYear(seed, small);
    expect(violations).toEqual([]);
    expect(slots).toBeGreaterThan(600);
    expect(ran).toBeGreaterThan(400);
  },
);

test("the same seed is the same year", async () => {
  expect(await simulateYear(7, small)).toEqual(await simulateYear(7, small));
});

describe("a defect that is planted is found:", () => {
  /** The catalog with one method another one. */
  const change = (
    method: keyof QueueAndSchedules,
    replace: (catalog: QueueAndSchedules) => (...args: never[]) => unknown,
  ) => ({
    ...small,
    wrapCatalog: (catalog: QueueAndSchedules): QueueAndSchedules =>
      new Proxy(catalog, {
        get: (target, name) => {
          if (name === method) return replace(target);
          const found = Reflect.get(target, name) as unknown;
          return typeof found === "function" ? (found.bind(target) as unknown) : found;
        },
      }),
  });
  type Record = Parameters<QueueAndSchedules["recordSlots"]>[0];

  test("a slot that is answered by two servers at once", async () => {
    // As if nobody looked whether another one had answered, and wrote beside what is there.
    const defect = change("recordSlots", (catalog) => async (record: Record) => {
      const doubled = record.slots.map((slot) => ({ ...slot, slotMs: slot.slotMs + 1 }));
      await catalog.recordSlots(record);
      return await catalog.recordSlots({ ...record, cause: "run-now", slots: doubled });
    });
    const { violations } = await simulateYear(1, defect);
    expect(violations.join("\n")).toMatch(/is none of its slots/);
  });

  test("an answer that stands for another time", async () => {
    let count = 0;
    const defect = change("recordSlots", (catalog) => async (record: Record) => {
      count += 1;
      const lateMs = count % 50 === 0 ? 60_000 : 0;
      const slots = record.slots.map((slot) => ({ ...slot, slotMs: slot.slotMs + lateMs }));
      return await catalog.recordSlots({ ...record, nowMs: record.nowMs + lateMs, slots });
    });
    const { violations } = await simulateYear(1, defect);
    expect(violations.join("\n")).toMatch(/was lost/);
  });

  test("a backup that is put into the queue twice", async () => {
    const defect = change("recordSlots", (catalog) => async (record: Record) => {
      const [operation] = record.slots.flatMap((slot) => slot.operation?.(5) ?? []);
      if (operation !== undefined) await catalog.createOperation(operation, { seconds: 0 });
      return await catalog.recordSlots(record);
    });
    const { violations } = await simulateYear(1, defect);
    expect(violations.join("\n")).toMatch(/is the backup of 0 slots/);
  });

  test("servers that let begin whatever waits", async () => {
    const defect = change(
      "admit",
      (catalog) =>
        async (...[, claim]: Parameters<QueueAndSchedules["admit"]>) => {
          const all = ({ open }: { readonly open: readonly Operation[] }) =>
            open.filter(isWaiting).map(({ id }) => ({ id, owner: "x" }));
          return await catalog.admit(all, claim);
        },
    );
    const { violations } = await simulateYear(1, { ...defect, projects: 50 });
    expect(violations.join("\n")).toMatch(/ran at|two worked on one place/);
  });

  test("a waiting backup that nobody ever begins", async () => {
    const defect = change("observeQueue", (catalog) => async () => {
      const seen = await catalog.observeQueue();
      return { ...seen, open: seen.open.filter(({ projectId }) => projectId !== "project-3") };
    });
    const blind = {
      ...defect,
      wrapCatalog: (catalog: QueueAndSchedules): QueueAndSchedules =>
        new Proxy(defect.wrapCatalog(catalog), {
          get: (target, name) =>
            name === "admit"
              ? async (...[choose, claim]: Parameters<QueueAndSchedules["admit"]>) =>
                  await catalog.admit(
                    (seen) =>
                      choose({
                        ...seen,
                        open: seen.open.filter(({ projectId }) => projectId !== "project-3"),
                      }),
                    claim,
                  )
              : (Reflect.get(target, name) as unknown),
        }),
    };
    const { violations } = await simulateYear(1, blind);
    expect(violations.join("\n")).toMatch(/has waited for its end/);
  });
});
