/** What a benchmark says, and how it is shown. */
import { median } from "./measure.ts";

export interface Figure {
  readonly what: string;
  /** Medians with their spread, for people. */
  readonly ours: string;
  readonly against: string;
  /** The number that the goal is about, e.g. `0.27`. */
  readonly result: string;
  readonly goal: string;
  /** Absent: there is no goal, or it does not apply at this scale. */
  readonly met?: boolean;
}

export interface CaseReport {
  readonly name: string;
  readonly title: string;
  readonly scale: Scale;
  readonly rounds: number;
  /** ISO 8601. */
  readonly at: string;
  readonly revision: string;
  readonly machine: string;
  /** One-minute load averages of the machine before and after: on a shared machine, who else was there. */
  readonly load: readonly [number, number];
  /** What the data are. */
  readonly data: string;
  /** Programs and versions. */
  readonly programs: readonly string[];
  readonly figures: readonly Figure[];
  readonly notes: readonly string[];
  /** Of a backup of a bucket, median, from start to end. */
  readonly rates?: { readonly objectsPerSecond: number; readonly bytesPerSecond: number };
}

export type Scale = "small" | "full";

export interface Goal {
  readonly atMost: number;
  /** A goal beyond the goal. */
  readonly moonshot?: number;
}

export const seconds = (values: readonly number[]): string => spread(values, (value) => `${digits(value)} s`);

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`;

export const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;

/** Time against time, or size against size. */
export function ratioFigure(
  what: string,
  ours: readonly number[],
  against: readonly number[],
  show: (values: readonly number[]) => string,
  goal: Goal,
): Figure {
  const ratio = median(ours) / median(against);
  const moonshot = goal.moonshot === undefined ? "" : ` (${goal.moonshot})`;
  return {
    what,
    ours: show(ours),
    against: show(against),
    result: ratio.toFixed(2),
    goal: `≤ ${goal.atMost}${moonshot}`,
    met: ratio <= goal.atMost,
  };
}

/** The largest of several peaks: a ceiling that held on average did not hold. */
export function memoryFigure(what: string, peaks: readonly number[]): Figure {
  const peak = Math.max(...peaks);
  return {
    what: `peak memory: ${what}`,
    ours: mebibytes(peak),
    against: "",
    result: mebibytes(peak),
    goal: "< 256 MiB",
    met: peak < 256 * 2 ** 20,
  };
}

function spread(values: readonly number[], show: (value: number) => string): string {
  const middle = show(median(values));
  if (values.length < 2) return middle;
  const [low, high] = [digits(Math.min(...values)), digits(Math.max(...values))];
  return low === high ? middle : `${middle} (${low}–${high})`;
}

const digits = (value: number): string => value.toFixed(value < 1 ? 3 : value < 20 ? 2 : 1);

const columns = ["figure", "ours", "against", "result", "goal", ""] as const;

const cellsOf = (figure: Figure): string[] => [
  figure.what,
  figure.ours,
  figure.against,
  figure.result,
  figure.goal,
  figure.met === undefined ? "" : figure.met ? "met" : "MISSED",
];

/** A table for the terminal. */
export function showReport(report: CaseReport): string {
  const rows = [[...columns], ...report.figures.map(cellsOf)];
  const widths = columns.map((_, column) =>
    Math.max(...rows.map((row) => Array.from(row[column] ?? "").length)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => pad(cell, widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return [
    `${report.title} (${report.name}, ${report.scale}, ${report.rounds} rounds, load ${report.load.join(" → ")})`,
    `  ${report.data}`,
    ...report.programs.map((program) => `  ${program}`),
    ...lines.map((line) => `  ${line}`),
    ...report.notes.map((note) => `  note: ${note}`),
    "",
  ].join("\n");
}

const pad = (text: string, width: number): string => text + " ".repeat(width - Array.from(text).length);

/** The section of `docs/reference/performance.md` for one case. */
export function toMarkdown(report: CaseReport): string {
  const row = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const verdict = (figure: Figure) => (figure.met === undefined ? "" : figure.met ? "met" : "**missed**");
  return [
    `### ${report.title}`,
    "",
    `\`npm run bench -- ${report.name} --scale ${report.scale} --rounds ${report.rounds}\` on ${report.at.slice(0, 10)} at ` +
      `revision ${report.revision}; load of the machine ${report.load.join(" before, ")} after.`,
    "",
    `Data: ${report.data}`,
    "",
    `Programs: ${report.programs.join("; ")}.`,
    "",
    row(["Figure", "LC2", "Against", "Result", "Goal (beyond)", ""]),
    row(["---", "---", "---", "---", "---", "---"]),
    ...report.figures.map((figure) => row([...cellsOf(figure).slice(0, 5), verdict(figure)])),
    ...(report.notes.length === 0 ? [] : ["", ...report.notes.map((note) => `- ${note}`)]),
    "",
  ].join("\n");
}
