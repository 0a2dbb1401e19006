import { namesOf, type KnownPlaces } from "../admission/found-place.ts";
import { isNested, type NamedPlaces } from "../admission/operation-place.ts";
import type { FailureRecord } from "../failure.ts";
import type { Environment } from "./environment.ts";

/**
 * The environments that one of these places belongs to, however it is spelled: is it, contains it or lies in it, because
 * a restore into a folder changes what is below it. Pure.
 */
export function environmentsAt(
  all: readonly Environment[],
  { database, storage }: NamedPlaces,
  known: KnownPlaces,
): readonly Environment[] {
  const targets = new Set(database === undefined ? [] : namesOf({ database }, known));
  const folders = storage === undefined ? [] : namesOf({ storage }, known);
  const isTarget = (each: { readonly url: string }): boolean =>
    namesOf({ database: each }, known).some((name) => targets.has(name));
  const isAmongFolders = (each: { readonly url: string }): boolean =>
    namesOf({ storage: each }, known).some((name) => folders.some((folder) => isNested(name, folder)));
  return all.filter(({ databases, storages }) => databases.some(isTarget) || storages.some(isAmongFolders));
}

/** Which of a project's backups, by the environment that they are of. */
export interface SourceOfRestore {
  readonly projectId: string;
  readonly environment?: string;
}

/** Why backups of this source may not be restored into the environment; undefined: they may. Pure. */
export function refuseSource(target: Environment, source: SourceOfRestore): FailureRecord | undefined {
  const { allowedSources } = target;
  // An environment never takes what another project has, and is not named to its users either.
  if (target.projectId !== source.projectId) {
    return {
      code: "source-not-allowed",
      message:
        "This place is of an environment of another project, which takes backups of its own project only. Restore " +
        "into another place, or copy what is to go there by other means.",
      retry: "never",
    };
  }
  if (allowedSources === undefined) return undefined;
  if (source.environment !== undefined && allowedSources.includes(source.environment)) return undefined;
  const of =
    source.environment === undefined ? "a backup of no environment" : `a backup of ${source.environment}`;
  const allowed = allowedSources.length === 0 ? "of none" : `of ${allowedSources.join(", ")} only`;
  return {
    code: "source-not-allowed",
    message:
      `The environment ${target.name} takes backups ${allowed}; this is ${of}. Choose another backup, or have its ` +
      "allowed sources changed.",
    retry: "never",
  };
}

/**
 * Why a restore may not be begun. `approve`: the hash of the plan that was read; absent: none was. A protected
 * environment is protected under every name of its places. Pure.
 */
export function refuseRestore(
  targets: readonly Environment[],
  source: SourceOfRestore,
  approve: string | undefined,
): FailureRecord | undefined {
  for (const target of targets) {
    const refused = refuseSource(target, source);
    if (refused !== undefined) return refused;
  }
  const guarded = approve === undefined ? targets.find((target) => target.protected) : undefined;
  if (guarded === undefined) return undefined;
  return {
    code: "plan-not-approved",
    message:
      `The environment ${guarded.name} is protected: a restore into it is run only when its plan was read. Make the plan ` +
      "(`lc2 restore plan`, or …/restores/plan), then approve it by its hash (--approve HASH, or approvedPlan).",
    retry: "never",
  };
}
