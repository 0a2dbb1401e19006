import { validateProjectId } from "../backup/validate-backup.ts";
import { when, type Problem } from "../problem.ts";
import { hooksOfRestore, latest, type RestoreSpec, type RestoreWish } from "../restore/restore.ts";
import { validateRestore } from "../restore/validate-restore.ts";
import { choosePlace } from "./choose-place.ts";
import { surroundHooks } from "./environment-hooks.ts";
import type { Environment } from "./environment.ts";
import { accessToDatabase, accessToFiles, type Resolved } from "./resolve-backup.ts";

/** What a backup holds. */
export interface BackupParts {
  readonly database: boolean;
  readonly files: boolean;
}

/**
 * What a restore that is asked for comes to: the places of its target environment as they are now, as far as the
 * backup and the type of restore have something for them, and its own wishes. Pure.
 */
export function resolveRestore(
  wish: RestoreWish,
  target?: Environment,
  backup: BackupParts = { database: true, files: true },
): Resolved<RestoreSpec> {
  const { database, storage, environment: _environment, pointInTime: _pointInTime, ...rest } = wish;
  const wanted = partsOf(wish);
  const chosenDatabase = choosePlace(
    "databases",
    database,
    wanted.database && backup.database ? target : undefined,
  );
  const chosenStorage = choosePlace("storages", storage, wanted.files && backup.files ? target : undefined);
  const databaseUrl = database?.url ?? chosenDatabase.place?.url;
  const storageUrl = storage?.url ?? chosenStorage.place?.url;
  const { instance: _instance, ...databaseWishes } = database ?? {};
  const { instance: _other, ...storageWishes } = storage ?? {};
  const isIgnored = (field: "database" | "storage", isPart: boolean) =>
    target !== undefined && !isPart && wish[field] !== undefined;
  const hooks = surroundHooks(target, "restore", hooksOfRestore(wish), databaseUrl !== undefined);
  return {
    spec: {
      ...rest,
      ...(hooks.before.length === 0 ? {} : { preRestoreHooks: hooks.before }),
      ...(hooks.after.length === 0 ? {} : { postRestoreHooks: hooks.after }),
      ...(databaseUrl === undefined
        ? {}
        : { database: { ...accessToDatabase(chosenDatabase.place), ...databaseWishes, url: databaseUrl } }),
      ...(storageUrl === undefined
        ? {}
        : {
            storage: {
              ...accessToFiles(chosenStorage.place),
              ...storageWishes,
              url: storageUrl,
              mode: storage?.mode ?? "merge",
            },
          }),
    },
    problems: [
      ...(isIgnored("database", wanted.database && backup.database) ? [] : chosenDatabase.problems),
      ...(isIgnored("storage", wanted.files && backup.files) ? [] : chosenStorage.problems),
      ...unsaidPlace("database", target, database),
      ...unsaidPlace("storage", target, storage),
    ],
  };
}

/**
 * Everything that can be seen to be wrong with a request before anything is looked up, at once. The project may be
 * left out (empty) where the backup says whose it is.
 */
export function validateRestoreWish(wish: RestoreWish): readonly Problem[] {
  const named = wish.projectId === "" ? { ...wish, projectId: "unknown" } : wish;
  if (wish.targetEnvironment !== undefined)
    return [...validateChoice(wish), ...validateProjectId(named.projectId)];
  const { spec, problems } = resolveRestore(named);
  return [...validateChoice(wish), ...(problems.length > 0 ? problems : validateRestore(spec))];
}

/** What is wrong with how the backup is chosen. */
function validateChoice({ backupId, projectId, environment, pointInTime }: RestoreWish): Problem[] {
  const isLatest = backupId === latest;
  return [
    ...when(isLatest && projectId === "", "projectId", "The latest backup is one of a project: name it."),
    ...when(
      !isLatest && environment !== undefined,
      "environment",
      "The environment chooses among backups; it goes with the backup `latest` only.",
    ),
    ...when(
      !isLatest && pointInTime !== undefined,
      "pointInTime",
      "The instant chooses among backups; it goes with the backup `latest` only.",
    ),
    ...when(
      pointInTime !== undefined && Number.isNaN(Date.parse(pointInTime)),
      "pointInTime",
      `"${pointInTime}" is no instant, such as 2025-11-10T10:30:00Z.`,
    ),
  ];
}

function partsOf({ restoreType, tables, include }: RestoreWish): BackupParts {
  if (restoreType === "selective") return { database: tables.length > 0, files: include.length > 0 };
  return { database: restoreType !== "storage-only", files: restoreType !== "database-only" };
}

function unsaidPlace(
  field: "database" | "storage",
  target: Environment | undefined,
  named: { readonly url?: string } | undefined,
): Problem[] {
  return when(
    target === undefined && named !== undefined && named.url === undefined,
    `${field}.url`,
    "Something is said of this target, and not where it is. Give its URL, or a target environment.",
  );
}
