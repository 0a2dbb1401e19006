import { createHash } from "node:crypto";
import type { TaskOf, TaskResults } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import { planHashInput } from "../../core/restore/plan-restore.ts";
import { hooksOfRestore, type RestorePlan } from "../../core/restore/restore.ts";
import { identifyPlaces } from "../identify-places.ts";
import type { PlannedDatabase } from "./plan-database.ts";
import { openDatabaseSource, openPlace, requireWhole } from "./restore-source.ts";
import type { TaskRun } from "../task.ts";

/**
 * Everything a restore will do, found out without changing anything: the backup is whole and opens, the target
 * answers, what is in it, what this role may do there. What would make it fail is a blocker of the plan;
 * rejects only where no plan can be made at all (no such backup, no key, no server).
 */
export async function planRestore(
  task: TaskOf<"plan-restore">,
  run: TaskRun,
): Promise<TaskResults["plan-restore"]> {
  const { spec, restoreId } = task;
  const { metadata } = await openPlace(run, spec.backupId);
  await requireWhole(run, metadata);
  const wants = wantedParts(task);
  const database =
    wants.database === undefined ? undefined : await planDatabasePart(task, wants.database, run);
  const files = wants.storage ? await (await import("./plan-files.ts")).planFiles(task, run) : undefined;
  const recoveryPoint = metadata.components.database?.recoveryPoint.at;
  const plan: Omit<RestorePlan, "hash"> = {
    restoreId,
    projectId: spec.projectId,
    backupId: spec.backupId,
    restoreType: spec.restoreType,
    ...(recoveryPoint === undefined ? {} : { recoveryPoint }),
    ...(database === undefined ? {} : { database: database.plan }),
    ...(files === undefined ? {} : { files: files.plan }),
    blockers: [...(database?.blockers ?? []), ...(files?.blockers ?? [])],
    warnings: [...(database?.warnings ?? []), ...(files?.warnings ?? [])],
    steps: [
      ...(spec.preRestoreHooks ?? []).map(
        ({ name, undo }) => `Run the hook "${name}"${undo === undefined ? "" : ", and undo it at the end"}.`,
      ),
      ...(database?.steps ?? []),
      ...(files?.steps ?? []),
      ...(database?.lastSteps ?? []),
      ...(spec.postRestoreHooks ?? []).map(
        ({ name, runOn = "success" }) => `Run the hook "${name}" (${runOn}).`,
      ),
    ],
  };
  const hash = createHash("sha256")
    .update(planHashInput(plan, hooksOfRestore(spec)))
    .digest("hex")
    .slice(0, 16);
  const places = {
    ...(wants.database === undefined ? {} : { database: wants.database }),
    ...(wants.storage && spec.storage !== undefined ? { storage: spec.storage } : {}),
  };
  return { ...plan, hash, found: await identifyPlaces(places, run) };
}

type DatabaseSpec = NonNullable<TaskOf<"plan-restore">["spec"]["database"]>;

/** Which parts the type asks for. Rejects with `nothing-to-restore` when a target for one of them is missing. */
function wantedParts(task: TaskOf<"plan-restore">): { database?: DatabaseSpec; storage: boolean } {
  const { spec } = task;
  const { restoreType, database, storage } = spec;
  const needDatabase = restoreType === "database-only" || spec.tables.length > 0;
  const needStorage = restoreType === "storage-only" || spec.include.length > 0;
  if (needDatabase && database === undefined) throw missing("a database", "--database postgres://…");
  if (needStorage && storage === undefined) throw missing("files", "--files or --bucket");
  if (restoreType === "selective" && !needDatabase && !needStorage) {
    throw new Failure("usage", "A selective restore needs --include or --table.");
  }
  const useDatabase = restoreType === "full" || needDatabase;
  const useStorage = restoreType === "full" || needStorage;
  if (!(useDatabase && database !== undefined) && !(useStorage && storage !== undefined)) {
    throw missing("anything", "--database, and --files or --bucket");
  }
  return {
    ...(useDatabase && database !== undefined ? { database } : {}),
    storage: useStorage && storage !== undefined,
  };
}

const missing = (what: string, option: string): Failure =>
  new Failure("nothing-to-restore", `This restore has no target for ${what}. Give ${option}.`);

async function planDatabasePart(
  task: TaskOf<"plan-restore">,
  database: DatabaseSpec,
  run: TaskRun,
): Promise<PlannedDatabase> {
  const { spec, restoreId } = task;
  const source = await openDatabaseSource(run, spec.backupId);
  return spec.restoreType === "selective"
    ? await (await import("./plan-tables.ts")).planTables(spec, database, restoreId, source, run)
    : await (await import("./plan-database.ts")).planDatabase(spec, database, restoreId, source, run);
}
