import { describe, expect, it } from "vitest";
import { StallWatch } from "./stall.ts";

const minute = 60_000;
const progress = (bytes: number, phase = "reading") => ({ phase, bytes });

describe("a task that moves nothing", () => {
  it("is stalled after its time, and over after a third of that", () => {
    const watch = new StallWatch(15 * minute);
    watch.hear(progress(5), 0);
    watch.hear(progress(5), 14 * minute);
    expect(watch.stalledMs(15 * minute - 1)).toBeUndefined();
    expect(watch.stalledMs(15 * minute)).toBe(15 * minute);
    expect(watch.isOver(20 * minute - 1)).toBe(false);
    expect(watch.isOver(20 * minute)).toBe(true);
  });

  it("is not once it moves again: a byte, an object, something verified, or to the next thing to do", () => {
    const watch = new StallWatch(minute);
    watch.hear(progress(5), 0);
    for (const [at, moved] of [
      progress(6),
      { ...progress(6), objects: 1 },
      progress(6, "comparing"),
      { ...progress(6, "comparing"), activity: 1 },
    ].entries()) {
      const nowMs = (at + 1) * minute;
      expect(watch.stalledMs(nowMs)).toBe(minute);
      watch.hear(moved, nowMs);
      expect(watch.stalledMs(nowMs)).toBeUndefined();
    }
  });

  it("is not looked at before it said how far it is", () => {
    const watch = new StallWatch(minute);
    expect(watch.stalledMs(100 * minute)).toBeUndefined();
    expect(watch.isOver(100 * minute)).toBe(false);
  });
});
