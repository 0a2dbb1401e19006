import { availableParallelism } from "node:os";
import type { RestoreSpec } from "../../contract/operations.ts";
import { Failure } from "../../core/failure.ts";
import { decideLeaveOut } from "../../core/restore/leave-out.ts";
import { chooseInto, showBytes, showCount } from "../../core/restore/plan-restore.ts";
import { besideName, loadingName, retiredName } from "../../core/restore/restore-names.ts";
import type { DatabaseFormPlan, DatabasePlan, PlanNote } from "../../core/restore/restore.ts";
import { redactedUrl, resolveConnection } from "../../postgres/connection.ts";
import { formOf } from "../../databases/postgres/create-database.ts";
import { rolesCreatedBy } from "../../databases/postgres/create-roles.ts";
import { observeTarget, type ObservedTarget } from "../../databases/postgres/observe-target.ts";
import { targetRights } from "../../databases/postgres/target.ts";
import { findTools, type ToolSet } from "../../databases/postgres/tools.ts";
import type { DatabaseSource } from "./restore-source.ts";
import type { TaskRun } from "../task.ts";

export interface PlannedDatabase {
  readonly plan: DatabasePlan;
  readonly blockers: readonly PlanNote[];
  readonly warnings: readonly string[];
  readonly steps: readonly string[];
  /** What is done last, after the files. */
  readonly lastSteps?: readonly string[];
}

/** Plans the restore of a whole database. Only reads. Rejects when the target's server cannot be asked. */
export async function planDatabase(
  spec: RestoreSpec,
  database: NonNullable<RestoreSpec["database"]>,
  restoreId: string,
  source: DatabaseSource,
  run: TaskRun,
): Promise<PlannedDatabase> {
  const connection = await resolveConnection(database.url, run.env);
  const target = await observeTarget(connection);
  const { into, blockers: intoBlockers } = chooseInto(database.into, target);
  const blockers: PlanNote[] = [
    ...catalogBlockers(target),
    ...intoBlockers,
    ...generalBlockers(target, source, into),
  ];
  const tools = await toolsFor(target, source, database.tools, run, blockers);
  const warnings: string[] = tools.note === undefined ? [] : [tools.note];

  const inside = into === "empty" || into === "in-place";
  const createRoles = database.createRoles ?? false;
  const newRoles = createRoles ? rolesToCreate(target, source, blockers) : [];
  const rights = targetRights(target.server, inside ? target.contents : undefined, newRoles);
  const decision = decideLeaveOut(source.entries, rights, { noOwner: database.noOwner });
  blockers.push(...decision.blockers);
  warnings.push(...decision.warnings);

  const form = inside ? undefined : chooseForm(target, source, warnings);
  if (inside) warnings.push(...compareForms(target, source));
  const bytes = source.component.databaseBytes;
  checkSpace(target, bytes, blockers, warnings);
  if (into === "in-place") warnings.push(inPlaceWarning(target.database));
  if (into === "empty")
    warnings.push(`Keep the application away from "${target.database}" until the restore is done.`);

  const plan: DatabasePlan = {
    url: redactedUrl(connection),
    ...(database.password === undefined ? {} : { password: database.password }),
    into,
    target: target.database,
    loadInto: inside ? target.database : loadingName(target.database, restoreId),
    ...(into === "swap" ? { retireAs: retiredName(target.database, restoreId) } : {}),
    ...(into === "new" ? { finalName: finalName(target, restoreId) } : {}),
    serverVersion: target.server.serverVersion,
    tools: { directory: tools.directory, version: tools.version },
    jobs: database.jobs ?? defaultJobs(),
    createDatabase: !inside,
    noOwner: decision.noOwner,
    ...(decision.noTablespaces ? { noTablespaces: true } : {}),
    ...(form === undefined ? {} : { form }),
    createRoles,
    endSessions: database.endSessions ?? true,
    leaveOut: decision.leaveOut,
    rows: source.component.rows,
    bytes,
    estimatedSeconds: estimateSeconds(bytes),
    breaks: into === "swap" ? target.breaks : [],
  };
  return { plan, blockers, warnings, ...describeSteps(plan, spec.dropAfterSeconds) };
}

export const defaultJobs = (): number => Math.max(1, Math.min(availableParallelism(), 8));

const finalName = (target: ObservedTarget, restoreId: string): string =>
  target.state === "missing" ? target.database : besideName(target.database, restoreId);

/** Before all others: no right that somebody could grant makes this one go away. */
export function catalogBlockers(target: ObservedTarget): PlanNote[] {
  if (!target.holdsCatalog) return [];
  const message =
    `"${target.database}" holds the catalog of an lc2 that works with it at this moment (DATABASE_URL). A restore would ` +
    "take the catalog away from under itself. Restore under another name; to bring a catalog back, stop every lc2 first, " +
    "or rebuild it with `lc2 repository scan`.";
  return [{ code: "target-is-catalog", message }];
}

export function generalBlockers(
  target: ObservedTarget,
  source: DatabaseSource,
  into: DatabasePlan["into"],
): PlanNote[] {
  const blockers: PlanNote[] = [];
  const sourceMajor = Number.parseInt(source.component.serverVersion, 10);
  if (target.server.serverMajor < sourceMajor) {
    blockers.push({
      code: "target-too-old",
      message:
        `The backup is from PostgreSQL ${source.component.serverVersion}, the target is ${target.server.serverVersion}. ` +
        `Restore into PostgreSQL ${sourceMajor} or newer.`,
    });
  }
  if (target.server.standby) {
    blockers.push({
      code: "restore-target-failed",
      message: "The target server is a standby, which cannot be written. Name its primary.",
    });
  }
  if (target.readOnlyRole) {
    blockers.push({
      code: "rights-missing-to-restore",
      message:
        `Role "${target.user}" is set to read only (default_transaction_read_only). ` +
        "Restore with the database's owner, not with the backup role.",
    });
  }
  if (into === "swap" && target.swapStoppers.length > 0) {
    blockers.push({
      code: "session-will-not-end",
      message:
        `"${target.database}" has prepared transactions (${target.swapStoppers.slice(0, 5).join(", ")}), which keep it from ` +
        "being renamed. Finish them with COMMIT PREPARED or ROLLBACK PREPARED.",
    });
  }
  return blockers;
}

/** Missing tools are a blocker of the plan, which still shows the rest. */
export async function toolsFor(
  target: ObservedTarget,
  source: DatabaseSource,
  requested: string | undefined,
  run: TaskRun,
  blockers: PlanNote[],
): Promise<Pick<ToolSet, "directory" | "version" | "note">> {
  try {
    return await findTools(target.server.serverMajor, requested, run.env, {
      purpose: "restore",
      archiveMajor: Number.parseInt(source.component.toolVersion, 10),
    });
  } catch (error) {
    if (!(error instanceof Failure) || error.code === "usage") throw error;
    blockers.push({ code: error.code, message: error.message });
    return { directory: "", version: "" };
  }
}

function rolesToCreate(target: ObservedTarget, source: DatabaseSource, blockers: PlanNote[]): string[] {
  const roles = rolesCreatedBy(source.rolesSql).filter((name) => !target.server.roles.has(name));
  if (roles.length > 0 && !target.server.createRole) {
    blockers.push({
      code: "rights-missing-to-restore",
      message: `Role "${target.user}" may not create roles (${roles.join(", ")}). Leave out --create-roles or restore as a superuser.`,
    });
  }
  return roles;
}

/** The source's encoding and locale where the target's system has them; else the target's, which is said. */
export function chooseForm(
  target: ObservedTarget,
  source: DatabaseSource,
  warnings: string[],
): DatabaseFormPlan | undefined {
  const wanted = formOf(source.inventory.database);
  const known = (name: string): boolean =>
    ["c", "posix", "c.utf8"].includes(normalLocale(name)) || target.server.locales.has(normalLocale(name));
  if (known(wanted.collate) && known(wanted.ctype)) return undefined;
  const fallback = target.form ?? { encoding: wanted.encoding, collate: "C", ctype: "C" };
  warnings.push(
    `The target system has no locale ${wanted.collate}; the new database gets ${fallback.collate}. ` +
      "Sorted text may come in another order.",
  );
  return { encoding: wanted.encoding, collate: fallback.collate, ctype: fallback.ctype };
}

const normalLocale = (name: string): string => name.toLowerCase().replaceAll("-", "");

function compareForms(target: ObservedTarget, source: DatabaseSource): string[] {
  const { encoding, collate } = source.inventory.database;
  if (target.form === undefined) return [];
  if (target.form.encoding !== encoding) {
    return [
      `"${target.database}" has encoding ${target.form.encoding}, the backup ${encoding}: text that does not fit fails.`,
    ];
  }
  return normalLocale(target.form.collate) === normalLocale(collate)
    ? []
    : [`"${target.database}" sorts by ${target.form.collate}, the backup by ${collate}.`];
}

function checkSpace(target: ObservedTarget, bytes: number, blockers: PlanNote[], warnings: string[]): void {
  if (target.freeBytes === undefined) {
    warnings.push(
      `About ${showBytes(bytes)} more are needed on the target server while old and new exist; how much is free there cannot be asked.`,
    );
  } else if (target.freeBytes < bytes) {
    blockers.push({
      code: "target-disk-full",
      message: `The restore needs about ${showBytes(bytes)} on the target server, and ${showBytes(target.freeBytes)} are free.`,
    });
  }
}

const inPlaceWarning = (database: string): string =>
  `--into in-place replaces what is in "${database}" in one transaction and cannot be undone: ` +
  `take a backup of it first. Objects that the backup does not have stay. Everything in it is locked meanwhile.`;

/** A rough figure from what restores took on small machines; replaced by history once there is some. */
export const estimateSeconds = (bytes: number): number => 2 + Math.ceil(bytes / 25_000_000);

function describeSteps(
  plan: DatabasePlan,
  dropAfterSeconds: number | undefined,
): Pick<PlannedDatabase, "steps" | "lastSteps"> {
  const { target, loadInto } = plan;
  const load = `load ${showCount(plan.rows)} rows, then indexes, constraints and grants`;
  const compare = "Compare rows, sequences, large objects and indexes with the backup's inventory; ANALYZE.";
  switch (plan.into) {
    case "swap":
      return {
        steps: [`Create database "${loadInto}" and ${load}; "${target}" stays in use.`, compare],
        lastSteps: [
          plan.endSessions
            ? `Refuse new connections to "${target}", end its sessions, and swap the names in one transaction.`
            : `Swap the names in one transaction; refused while "${target}" has sessions.`,
          `Keep the old database as "${plan.retireAs}"${dropAfterSeconds === undefined ? " until told to drop it" : ""}; ` +
            "`lc2 restore undo` swaps back.",
        ],
      };
    case "new":
      return {
        steps: [`Create database "${loadInto}" and ${load}.`, compare],
        lastSteps: [
          `Name it "${plan.finalName}".${plan.finalName === target ? "" : ` "${target}" is not touched: point the application to the new one.`}`,
        ],
      };
    case "empty":
      return { steps: [`Into the empty database "${target}", ${load}.`, compare] };
    case "in-place":
      return {
        steps: [
          `In one transaction, replace the objects of the backup in "${target}": ${load}.`,
          "Any error rolls everything back.",
          compare,
        ],
      };
  }
}
