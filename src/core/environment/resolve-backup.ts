import {
  hooksOfBackup,
  type BackupSpec,
  type BackupWish,
  type DatabaseSourceSpec,
  type FilesSourceSpec,
} from "../backup/backup.ts";
import { when, type Problem } from "../problem.ts";
import { choosePlace } from "./choose-place.ts";
import { surroundHooks } from "./environment-hooks.ts";
import type { Environment, EnvironmentDatabase, EnvironmentStorage } from "./environment.ts";

/** A request with everything in it that it goes by, and what is wrong with it. */
export interface Resolved<Spec> {
  readonly spec: Spec;
  readonly problems: readonly Problem[];
}

/**
 * What a backup that is asked for comes to: the places of its environment as they are now, and its own wishes. The
 * run goes by the answer, whatever is said of the environment later. Pure.
 */
export function resolveBackup(wish: BackupWish, environment?: Environment): Resolved<BackupSpec> {
  const { database, storage, only, ...rest } = wish;
  const application = wish.application ?? environment?.application;
  const wantsDatabase = only !== "storage";
  const wantsStorage = only !== "database";
  const chosenDatabase = choosePlace("databases", database, wantsDatabase ? environment : undefined);
  const chosenStorage = choosePlace("storages", storage, wantsStorage ? environment : undefined);
  const isDatabaseMeant = wantsDatabase && (database?.url ?? chosenDatabase.place) !== undefined;
  const isStorageMeant = wantsStorage && (storage?.url ?? chosenStorage.place) !== undefined;
  const hooks = surroundHooks(environment, "backup", hooksOfBackup(wish), isDatabaseMeant);
  return {
    spec: {
      ...rest,
      ...(hooks.before.length === 0 ? {} : { preBackupHooks: hooks.before }),
      ...(hooks.after.length === 0 ? {} : { postBackupHooks: hooks.after }),
      ...(application === undefined ? {} : { application }),
      ...(isDatabaseMeant ? { database: toDatabase(database, chosenDatabase.place) } : {}),
      ...(isStorageMeant ? { storage: toStorage(storage, chosenStorage.place) } : {}),
    },
    problems: [
      ...when(
        only !== undefined && only !== "database" && only !== "storage",
        "only",
        `"${only}" is no part of a backup; use database or storage, or leave it out for both.`,
      ),
      ...chosenDatabase.problems,
      ...chosenStorage.problems,
      ...when(
        environment === undefined && database !== undefined && database.url === undefined,
        "database.url",
        "Something is said of a database, and not where it is. Give its URL, or an environment.",
      ),
      ...when(
        environment === undefined && storage !== undefined && storage.url === undefined,
        "storage.url",
        "Something is said of files, and not where they are. Give their URL, or an environment.",
      ),
    ],
  };
}

function toDatabase(
  wish: BackupWish["database"] = {},
  place: EnvironmentDatabase | undefined,
): DatabaseSourceSpec {
  const { instance: _, ...said } = wish;
  return {
    ...accessToDatabase(place),
    ...said,
    url: wish.url ?? place?.url ?? "",
    excludeTables: said.excludeTables ?? [],
  };
}

function toStorage(wish: BackupWish["storage"] = {}, place: EnvironmentStorage | undefined): FilesSourceSpec {
  const { instance: _, ...said } = wish;
  return {
    ...accessToFiles(place),
    ...said,
    url: wish.url ?? place?.url ?? "",
    excludeGeneratedFiles: said.excludeGeneratedFiles ?? false,
    excludePatterns: said.excludePatterns ?? [],
    excludePaths: said.excludePaths ?? [],
    includePaths: said.includePaths ?? [],
    maxShrink: said.maxShrink ?? 0.5,
  };
}

/** What an environment says of how its database is reached, besides where it is. */
export const accessToDatabase = (
  place: EnvironmentDatabase | undefined,
): Pick<EnvironmentDatabase, "password" | "tools"> => ({
  ...(place?.password === undefined ? {} : { password: place.password }),
  ...(place?.tools === undefined ? {} : { tools: place.tools }),
});

export const accessToFiles = (
  place: EnvironmentStorage | undefined,
): Pick<EnvironmentStorage, "credentials"> =>
  place?.credentials === undefined ? {} : { credentials: place.credentials };
