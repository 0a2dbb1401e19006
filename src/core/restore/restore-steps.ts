import type { SectionedEntry } from "./select-tables.ts";

/** Dump ids of what each step of a restore makes, in the archive's order. Rows come between the first two. */
export interface RestoreSteps {
  readonly preData: readonly number[];
  readonly postData: readonly number[];
  /** Grants, so that a revoked INSERT does not stop the rows, and what pg_restore itself does last. */
  readonly last: readonly number[];
}

const lastKinds: ReadonlySet<string> = new Set([
  "ACL",
  "DEFAULT ACL",
  "MATERIALIZED VIEW DATA",
  "EVENT TRIGGER",
]);

/**
 * Deals the entries of an archive out to the steps, without those that are not selected. An entry of no section
 * (comments) is made with the one before it, as by pg_restore. Pure.
 */
export function planSteps(
  entries: readonly SectionedEntry[],
  selects: (dumpId: number) => boolean,
): RestoreSteps {
  const steps = { preData: [] as number[], postData: [] as number[], last: [] as number[] };
  let section: SectionedEntry["section"] = "pre-data";
  for (const entry of entries) {
    if (entry.section !== "none") section = entry.section;
    if (!selects(entry.dumpId)) continue;
    if (isLast(entry)) steps.last.push(entry.dumpId);
    else if (section === "pre-data") steps.preData.push(entry.dumpId);
    else if (section === "post-data") steps.postData.push(entry.dumpId);
  }
  return steps;
}

/** A comment on an event trigger comes with the trigger. */
const isLast = ({ kind, name }: SectionedEntry): boolean =>
  lastKinds.has(kind) || (kind === "COMMENT" && name.startsWith("EVENT TRIGGER "));
