import { expect, it, vi } from "vitest";
import type { WorkerMessage } from "../contract/worker-task.ts";
import { openFilesPlace } from "../../test/support/files-run.ts";
import { ProgressReporter } from "./report-progress.ts";

it("goes on telling what moves when the clock was set back", async () => {
  const place = openFilesPlace();
  try {
    const told: number[] = [];
    const report = (message: WorkerMessage): void => {
      if (message.type === "progress") told.push(message.progress.bytes);
    };
    let nowMs = 1_800_000_000_000;
    const run = { ...place.run, report, clock: { nowMs: () => nowMs } };
    const progress = new ProgressReporter(run, { component: "copy", phase: "copying", bytes: 0 });
    nowMs -= 3_600_000;
    await vi.waitFor(() => {
      progress.add(1);
      expect(told.length).toBeGreaterThan(1);
    }, 5_000);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
  } finally {
    place.close();
  }
});
