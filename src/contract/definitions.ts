/** What stands until somebody changes it: projects, environments and their like have this in common. */
import type { WriteCondition } from "../core/ports/definition-records.ts";

/** Of every definition: which one of it this is. */
export interface DefinitionFacts {
  /** One more with each change. */
  readonly revision: number;
  readonly createdAt: string;
  /** Absent: made with defaults because it was named; nobody has said anything of it. */
  readonly changedAt?: string;
}

export interface WriteOptions {
  /** What must be there: nothing (or just this), anything or nothing, or this revision. */
  readonly condition: WriteCondition;
  /** Only say what would be done. */
  readonly dryRun?: boolean;
}

export interface RemoveOptions {
  /** Only if it is this one still. */
  readonly revision?: number;
  readonly dryRun?: boolean;
}

/** A definition as it is now (or, in a dry run, would be), and what was done to it. */
export interface Written<View> {
  readonly outcome: "created" | "changed" | "unchanged";
  readonly view: View;
}
