import { describe, expect, it } from "vitest";
import { parseWindow, type BackupWindow } from "./backup-window.ts";
import { readCron } from "./cron-times.ts";
import { slotOperationId } from "./slot-operation.ts";
import { effectiveCron, spreadNames } from "./spread.ts";

const schedule = (name: string, ...texts: string[]) => ({
  projectId: "retail",
  name,
  windows: texts.map((text) => parseWindow(text) as BackupWindow),
});

describe("a spread schedule", () => {
  it("has a time of its own, the same whenever it is asked for", () => {
    expect(effectiveCron("@daily-random", schedule("nightly"))).toBe(
      effectiveCron("@daily-random", schedule("nightly")),
    );
    const times = Array.from({ length: 200 }, (_, index) =>
      effectiveCron("@daily-random", schedule(`s${index}`)),
    );
    expect(new Set(times).size).toBeGreaterThan(170);
    expect(effectiveCron("0 2 * * *", schedule("nightly"))).toBe("0 2 * * *");
  });

  it("fills every hour, and is an expression that stands for times", () => {
    for (const name of spreadNames) {
      const crons = Array.from({ length: 500 }, (_, index) => effectiveCron(name, schedule(`s${index}`)));
      const minutes = new Set(crons.map((cron) => cron.split(" ")[0]));
      expect(minutes.size, name).toBe(60);
      for (const cron of crons) expect(readCron(cron, "UTC"), cron).not.toHaveProperty("problem");
    }
  });

  it("lies in the first half of a window", () => {
    for (let index = 0; index < 200; index += 1) {
      const cron = effectiveCron("@daily-random", schedule(`s${index}`, "23:00-03:00", "12:00-12:20"));
      const [minute, hour] = cron.split(" ").map(Number);
      const at = (hour ?? 0) * 60 + (minute ?? 0);
      expect(at >= 1380 || at < 60 || (at >= 720 && at < 730), cron).toBe(true);
    }
  });
});

it("gives the backup of a slot an id that follows from the slot", () => {
  const slotMs = Date.UTC(2026, 10, 10, 1);
  const id = slotOperationId(schedule("nightly"), slotMs, 0);
  expect(id).toMatch(/^backup-20261110-010000-[0-9a-f]{6}$/);
  expect(slotOperationId(schedule("nightly"), slotMs, 0)).toBe(id);
  expect(slotOperationId(schedule("nightly"), slotMs, 1)).not.toBe(id);
  expect(slotOperationId(schedule("other"), slotMs, 0)).not.toBe(id);
});
