import { planSteps } from "../../core/restore/restore-steps.ts";
import type { DatabasePlan } from "../../core/restore/restore.ts";
import { readLoadingSettings } from "../../databases/postgres/loading-settings.ts";
import { restoreEntries, type ArchiveOptions } from "../../databases/postgres/restore-archive.ts";
import type { RestoreTarget } from "../../databases/postgres/restore-tool.ts";
import { loadRows } from "./load-rows.ts";
import { sectionedEntries, type DatabaseSource } from "./restore-source.ts";
import type { TaskRun } from "../task.ts";

/** Called between steps; throws when the work must not go on. */
export type BetweenSteps = () => Promise<void>;

/** Only some of a backup. */
export interface LoadSelection {
  /** Whether an entry of the main archive's definitions is made. */
  readonly selects: (dumpId: number) => boolean;
  /** Tables whose rows, and sequences whose values, are loaded. */
  readonly tables: readonly { readonly schema: string; readonly name: string }[];
}

/**
 * Definitions, rows, indexes and constraints, grants: all of a backup into one database. Rows go from the store
 * through decryption and decompression into pg_restore, several archives at once; no row touches a disk here.
 * Rejects on the first error of any archive, with the others stopped.
 */
export async function loadDatabase(
  source: DatabaseSource,
  plan: DatabasePlan,
  loaded: RestoreTarget,
  run: TaskRun,
  between: BetweenSteps,
  selection?: LoadSelection,
): Promise<void> {
  const target = { ...loaded, settings: await readLoadingSettings(loaded.connection, plan.jobs) };
  const options: ArchiveOptions = {
    ...(selection === undefined ? {} : { tables: selection.tables }),
    noOwner: plan.noOwner,
    noTablespaces: plan.noTablespaces ?? false,
    jobs: plan.jobs,
  };
  const leftOut = new Set(plan.leaveOut.map((item) => item.dumpId));
  const steps = planSteps(
    sectionedEntries(source),
    (dumpId) => !leftOut.has(dumpId) && (selection?.selects(dumpId) ?? true),
  );
  const head = { tocFile: source.tocFile, scratchDirectory: run.scratchDirectory };
  const say = (phase: string, bytes: number): void =>
    run.report({
      type: "progress",
      progress: { component: "database", phase, bytes, totalBytes: plainBytes(source) },
    });
  say("creating", 0);
  await restoreEntries(target, head, "pre-data", steps.preData, options);
  await between();
  const made = await loadRows({
    source,
    target,
    options,
    run,
    between,
    postData: steps.postData,
    onBytes: (bytes) => say("loading", bytes),
  });
  await between();
  say("indexing", plainBytes(source));
  const others = steps.postData.filter((dumpId) => !made.has(dumpId));
  await restoreEntries(target, head, "post-data", others, options);
  await between();
  await restoreEntries(target, head, "last", steps.last, options);
}

const plainBytes = (source: DatabaseSource): number =>
  source.component.archives.reduce((sum, file) => sum + file.plainBytes, 0);
