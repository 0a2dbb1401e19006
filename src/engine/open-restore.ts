import type { BackupReference, Waiting } from "../contract/service.ts";
import type { Environment } from "../core/environment/environment.ts";
import {
  resolveRestore,
  validateRestoreWish,
  type BackupParts,
} from "../core/environment/resolve-restore.ts";
import { Failure } from "../core/failure.ts";
import type { BackupMetadata } from "../core/repository/metadata.ts";
import { hooksOfRestore, latest, type RestoreSpec, type RestoreWish } from "../core/restore/restore.ts";
import { validateRestore } from "../core/restore/validate-restore.ts";
import { refuseProblems } from "../core/problem.ts";
import { readEnvironment } from "./read-environment.ts";
import { guardTarget, onlyPlanned } from "./guard-target.ts";
import { locateBackup, type BackupPlace } from "./locate-backup.ts";
import { makeLogLine, type EngineParts } from "./parts.ts";
import { chooseRestorePoint } from "./restore-points.ts";
import { withRefusedHooks } from "./run-hooks.ts";
import { beginCall } from "./service-call.ts";

/** A restore with everything in it that it goes by. */
export interface OpenedRestore {
  readonly parts: EngineParts;
  readonly spec: RestoreSpec;
  readonly place: BackupPlace;
  /** Its target is, or belongs to, a protected environment. */
  readonly isProtected: boolean;
}

export interface RestoreTerms {
  readonly repository?: string;
  /** Hash of the plan that was read. */
  readonly approve?: string;
  /** Nothing is going to be changed. */
  readonly isPlanOnly?: boolean;
}

/**
 * Finds out what a restore is of and where it goes, and refuses what may not be: everything that is wrong with the
 * request, a source that the target does not take, a protected target whose plan nobody has read.
 */
export async function openRestore(
  bareParts: EngineParts,
  wish: RestoreWish,
  terms: RestoreTerms,
  waiting: Waiting,
): Promise<OpenedRestore> {
  refuseProblems(validateRestoreWish(wish));
  const parts = await beginCall(bareParts, waiting);
  // A project may be left out where the backup says whose it is.
  const earlyTarget = wish.projectId === "" ? undefined : await readTarget(parts, wish.projectId, wish);
  const backupId = await chooseBackup(parts, wish, earlyTarget, waiting);
  const reference: BackupReference = {
    backupId,
    projectId: wish.projectId,
    ...(terms.repository === undefined ? {} : { repository: terms.repository }),
  };
  const place = await locateBackup(parts, reference, waiting.signal);
  const { projectId } = place;
  const target = earlyTarget ?? (await readTarget(parts, projectId, wish));
  const { spec, problems } = resolveRestore(
    { ...wish, backupId, projectId },
    target,
    await readParts(parts, place),
  );
  const wrong = problems.length > 0 ? problems : validateRestore(spec);
  refuseProblems(await withRefusedHooks(bareParts, wrong, hooksOfRestore(spec), "restore"));
  const approve = terms.isPlanOnly === true ? onlyPlanned : terms.approve;
  const { isProtected, refused } = await guardTarget(parts, spec, place, approve, target);
  if (refused !== undefined) throw Failure.fromRecord(refused);
  return { parts, spec, place, isProtected };
}

async function readTarget(
  parts: EngineParts,
  projectId: string,
  { targetEnvironment }: RestoreWish,
): Promise<Environment | undefined> {
  return targetEnvironment === undefined
    ? undefined
    : await readEnvironment(parts, projectId, targetEnvironment);
}

async function chooseBackup(
  parts: EngineParts,
  { backupId, projectId, environment, pointInTime }: RestoreWish,
  target: Environment | undefined,
  waiting: Waiting,
): Promise<string> {
  if (backupId !== latest) return backupId;
  const atMs = pointInTime === undefined ? undefined : Date.parse(pointInTime);
  const chosen = await chooseRestorePoint(parts, { projectId, environment, atMs }, target);
  const of = chosen.environment === undefined ? "" : ` of ${chosen.environment}`;
  const before =
    atMs === undefined ? "" : `, ${describeGap(atMs - Date.parse(chosen.at))} before ${pointInTime}`;
  const message = `The newest usable state is ${chosen.backupId}${of}, as of ${chosen.at}${before}.`;
  waiting.onEvent({ type: "log", line: makeLogLine(parts, "info", message) });
  return chosen.backupId;
}

function describeGap(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.floor(ms / 1000)} s`;
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

async function readParts(
  { catalog }: EngineParts,
  { backupId, projectId }: BackupPlace,
): Promise<BackupParts | undefined> {
  const metadata = (await catalog.getBackupMetadata(backupId, projectId)) as BackupMetadata | undefined;
  if (metadata === undefined) return undefined;
  const { database, files } = metadata.components;
  return { database: database !== undefined, files: files !== undefined };
}
