import { readdirSync, readFileSync } from "node:fs";

/**
 * The processes that this worker started and what they started, as far as they stayed in its process group; empty where
 * it leads none, or the system does not say.
 */
export function othersOfOwnGroup(): readonly number[] {
  if (groupOf(process.pid) !== process.pid) return [];
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid && groupOf(pid) === process.pid);
}

/** Of `/proc/[pid]/stat`, counted after the name, which may hold anything. */
function groupOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[2]);
  } catch {
    return undefined;
  }
}
