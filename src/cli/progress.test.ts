import { describe, expect, test } from "vitest";
import type { Progress } from "../contract/worker-task.ts";
import { createMemorySink } from "../../test/support/memory-terminal.ts";
import { createProgressView } from "./progress.ts";
import { displayWidth } from "./terminal.ts";

const id = "backup-20261124-140000-3f9c2a";

function createView(options: { terminal: boolean; columns?: number; quiet?: boolean }) {
  const clock = { ms: 1_000_000 };
  const sink = createMemorySink(options);
  const view = createProgressView(sink, { nowMs: () => clock.ms, quiet: options.quiet ?? false });
  const progress = (values: Partial<Progress>): void =>
    view.onEvent({
      type: "progress",
      progress: { component: "database", phase: "reading", bytes: 0, ...values },
    });
  return { clock, sink, view, progress };
}

/** What a terminal shows after the escapes that the view uses: cursor up n lines, erase to the end. */
function screenOf(text: string): string[] {
  let lines: string[] = [""];
  const parts = text.split(/\u001b\[(\d+)A\r\u001b\[J/);
  parts.forEach((part, index) => {
    if (index % 2 === 1) {
      lines = [...lines.slice(0, lines.length - 1 - Number(part)), ""];
      return;
    }
    const [first = "", ...more] = part.replaceAll(/\u001b\[\d+m/g, "").split("\n");
    lines = [...lines.slice(0, -1), `${lines.at(-1) ?? ""}${first}`, ...more];
  });
  return lines.slice(0, -1);
}

describe("in a pipe", () => {
  test("a line comes with each phase and every ten seconds, with rate and time left", () => {
    const { clock, sink, view, progress } = createView({ terminal: false });
    view.onEvent({ type: "accepted", id });
    for (let second = 0; second <= 24; second += 1) {
      progress({ bytes: second * 10_000_000, totalBytes: 300_000_000 });
      clock.ms += 1000;
    }
    progress({ phase: "checking", bytes: 0 });
    expect(sink.text().split("\n")).toEqual([
      `${id}: accepted`,
      "database: reading, 33 %, 100 MB of 300 MB, 10.0 MB/s, ETA 20 s (10 s)",
      "database: reading, 66 %, 200 MB of 300 MB, 10.0 MB/s, ETA 10 s (20 s)",
      "database: checking (25 s)",
      "",
    ]);
  });

  test("no escape sequence is ever written", () => {
    const { sink, view, progress } = createView({ terminal: false });
    progress({ bytes: 5 });
    view.onEvent({ type: "log", line: { at: "", level: "warn", message: "odd\u001b[2J" } });
    view.note("said");
    view.stop();
    expect(sink.text()).not.toContain("\u001b");
    expect(sink.text()).toContain("warning: odd\\u001b[2J\n");
  });

  test("a state is said once", () => {
    const { sink, view } = createView({ terminal: false });
    view.onEvent({ type: "accepted", id });
    view.onEvent({ type: "state", status: "ExportInProgress" });
    view.onEvent({ type: "state", status: "ExportInProgress" });
    expect(sink.text()).toBe(`${id}: accepted\n${id}: ExportInProgress\n`);
  });
});

describe("on a terminal", () => {
  test("there is one live line for each component, redrawn in place", () => {
    const { clock, sink, view, progress } = createView({ terminal: true, columns: 120 });
    view.onEvent({ type: "accepted", id });
    view.onEvent({ type: "state", status: "ExportInProgress" });
    for (let step = 0; step < 20; step += 1) {
      progress({ bytes: step * 1_000_000, totalBytes: 40_000_000 });
      progress({ component: "files", phase: "storing", bytes: step * 1000, objects: step, totalObjects: 40 });
      clock.ms += 250;
    }
    expect(screenOf(sink.text())).toEqual([
      `${id}  ExportInProgress  4.8 s`,
      "database  reading    [##########··········]  47 %  19.0 MB of 40.0 MB  4.00 MB/s  ETA 6.0 s",
      // As of the last drawing: two updates in the same instant are one drawing.
      "files     storing    [#########···········]  45 %  18 of 40 files  18.0 kB  4.00 kB/s  ETA 6.0 s",
    ]);
  });

  test("notes and warnings stay above the live lines", () => {
    const { clock, sink, view, progress } = createView({ terminal: true });
    progress({ bytes: 1_000_000 });
    view.note("a note");
    clock.ms += 1000;
    progress({ bytes: 2_000_000 });
    view.onEvent({ type: "log", line: { at: "", level: "warn", message: "a warning" } });
    const screen = screenOf(sink.text());
    expect(screen.slice(0, 2)).toEqual(["a note", "warning: a warning"]);
    expect(screen[2]).toContain("database  reading");
    expect(screen).toHaveLength(3);
  });

  test("nothing is left of the live lines when they are stopped", () => {
    const { sink, view, progress } = createView({ terminal: true });
    view.onEvent({ type: "accepted", id });
    progress({ bytes: 1_000_000 });
    view.note("stays");
    view.stop();
    view.stop();
    expect(screenOf(sink.text())).toEqual(["stays"]);
  });

  test.each([40, 60, 80, 200])("no line is wider than a terminal of %i columns", (columns) => {
    const { clock, sink, view, progress } = createView({ terminal: true, columns });
    view.onEvent({ type: "accepted", id });
    view.onEvent({ type: "state", status: "TransferInProgress" });
    for (let step = 0; step < 10; step += 1) {
      progress({ bytes: step * 1e9, totalBytes: 1e12, objects: step, totalObjects: 1_000_000 });
      clock.ms += 1000;
    }
    const widths = screenOf(sink.text()).map((line) => displayWidth(line));
    expect(widths).toHaveLength(2);
    expect(Math.max(...widths)).toBeLessThan(columns);
  });

  test("a burst of progress is drawn ten times a second at most", () => {
    const { clock, sink, progress } = createView({ terminal: true });
    for (let step = 0; step < 1000; step += 1) {
      progress({ bytes: step });
      clock.ms += 1;
    }
    expect(sink.text().split("\u001b[J").length).toBeLessThanOrEqual(11);
  });
});

test("quiet shows warnings and errors and nothing else", () => {
  for (const terminal of [true, false]) {
    const { sink, view, progress } = createView({ terminal, quiet: true });
    view.onEvent({ type: "accepted", id });
    view.onEvent({ type: "state", status: "ExportInProgress" });
    progress({ bytes: 5 });
    view.onEvent({ type: "log", line: { at: "", level: "info", message: "info" } });
    view.onEvent({ type: "log", line: { at: "", level: "error", message: "bad" } });
    view.stop();
    expect(sink.text().replaceAll(/\u001b\[\d+m/g, "")).toBe("error: bad\n");
  }
});

test("the rate starts again with each phase, so that no phase inherits another's speed", () => {
  const { clock, sink, progress } = createView({ terminal: false });
  progress({ bytes: 0, totalBytes: 1e9 });
  clock.ms += 10_000;
  progress({ bytes: 1e9, totalBytes: 1e9 });
  progress({ phase: "indexing", bytes: 0, totalBytes: 1e9 });
  expect(sink.text().trim().split("\n").at(-1)).toBe("database: indexing, 0 %, 0 B of 1.00 GB (10 s)");
});
