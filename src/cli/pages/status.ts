import type { Paint } from "../terminal.ts";

/** Green for done, red for failed, yellow for what still moves. */
export function paintStatus(text: string, status: string, paint: Paint): string {
  if (status === "Completed") return paint.green(text);
  if (status === "Failed") return paint.red(text);
  return status === "Cancelled" ? paint.dim(text) : paint.yellow(text);
}

const timeOf = (iso: string | undefined): number | undefined => {
  const parsed = iso === undefined ? Number.NaN : Date.parse(iso);
  return Number.isNaN(parsed) ? undefined : parsed;
};

/** Seconds between two times; undefined where one is missing. */
export function secondsBetween(from: string | undefined, to: string | undefined): number | undefined {
  const start = timeOf(from);
  const end = timeOf(to);
  return start === undefined || end === undefined ? undefined : Math.max(0, (end - start) / 1000);
}
