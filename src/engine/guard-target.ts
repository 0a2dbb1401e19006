import { environmentsAt, refuseRestore } from "../core/environment/guard-restore.ts";
import type { Environment } from "../core/environment/environment.ts";
import type { FailureRecord } from "../core/failure.ts";
import type { RestoreSpec } from "../core/restore/restore.ts";
import { listAllEnvironments } from "./read-environment.ts";
import { readKnownPlaces } from "./hold-places.ts";
import type { EngineParts } from "./parts.ts";

export interface TargetGuard {
  /** The target is, or belongs to, a protected environment. */
  readonly isProtected: boolean;
  /** Why the restore may not be begun. */
  readonly refused?: FailureRecord;
}

/**
 * What the environments that the target belongs to say of a restore. By the names that are known of places at this
 * moment: to be asked before a restore is begun, and again when its plan has found out what the target is.
 */
export async function guardTarget(
  parts: EngineParts,
  spec: Pick<RestoreSpec, "database" | "storage">,
  source: { readonly backupId: string; readonly projectId: string },
  approve: string | undefined,
  target?: Environment,
): Promise<TargetGuard> {
  const found = environmentsAt(await listAllEnvironments(parts), spec, await readKnownPlaces(parts));
  const targets = target === undefined ? found : [target, ...found];
  if (targets.length === 0) return { isProtected: false };
  const { projectId, backupId } = source;
  const environment = (await parts.catalog.getBackup(backupId, projectId))?.environment;
  const of = { projectId, ...(environment === undefined ? {} : { environment }) };
  const refused = refuseRestore(targets, of, approve);
  const isProtected = targets.some((each) => each.protected);
  return { isProtected, ...(refused === undefined ? {} : { refused }) };
}

/** In place of a hash: nothing is going to be changed. */
export const onlyPlanned = "only planned";
