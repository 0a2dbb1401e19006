import {
  validateConcurrency,
  validateDatabaseUrl,
  validateFilesUrl,
  validateProjectId,
} from "../backup/validate-backup.ts";
import { validateHooks } from "../hooks/validate-hooks.ts";
import { isWholeBetween, longestSeconds, when, type Problem } from "../problem.ts";
import { hooksOfRestore, type RestoreSpec } from "./restore.ts";

const restoreTypes: readonly string[] = ["full", "database-only", "storage-only", "selective"];
const waysIn: readonly string[] = ["swap", "new", "empty", "in-place"];
const modes: readonly string[] = ["merge", "mirror"];

/** Everything that is wrong with a request for a restore, at once; empty when it may be planned. */
export function validateRestore(spec: RestoreSpec): readonly Problem[] {
  return [
    ...validateProjectId(spec.projectId),
    ...when(
      !restoreTypes.includes(spec.restoreType),
      "restoreType",
      `"${spec.restoreType}" is no type of restore; use ${restoreTypes.join(", ")}.`,
    ),
    ...validateTargets(spec),
    ...validateSelection(spec),
    ...validateDatabaseTarget(spec),
    ...validateStorageTarget(spec),
    ...validateHooks(hooksOfRestore(spec), { of: "restore", hasDatabase: spec.database !== undefined }),
  ];
}

function validateTargets({ restoreType, database, storage }: RestoreSpec): Problem[] {
  return [
    ...when(
      database === undefined && storage === undefined,
      "database",
      "The request names no target. Give --database, and --files or --bucket.",
    ),
    ...when(
      restoreType === "database-only" && database === undefined && storage !== undefined,
      "database",
      "A database-only restore needs --database.",
    ),
    ...when(
      restoreType === "storage-only" && storage === undefined && database !== undefined,
      "storage",
      "A storage-only restore needs --files or --bucket.",
    ),
  ];
}

function validateSelection(spec: RestoreSpec): Problem[] {
  const selects = spec.include.length > 0 || spec.tables.length > 0;
  const isSelective = spec.restoreType === "selective";
  return [
    ...when(isSelective && !selects, "include", "A selective restore needs --include or --table."),
    ...when(
      !isSelective && selects,
      "restoreType",
      `Paths and tables can be chosen only with --type selective, not ${spec.restoreType}.`,
    ),
    ...when(
      isSelective && spec.include.length > 0 && spec.storage === undefined,
      "storage",
      "--include chooses files, so --files or --bucket must say where they go.",
    ),
    ...when(
      isSelective && spec.tables.length > 0 && spec.database === undefined,
      "database",
      "--table chooses tables, so --database must say where they go.",
    ),
    ...when(
      spec.tables.some((table) => !/^[^.]+\.[^.]/.test(table)),
      "tables",
      "Tables are named schema.name.",
    ),
  ];
}

function validateDatabaseTarget({ database, dropAfterSeconds }: RestoreSpec): Problem[] {
  const drop = when(
    dropAfterSeconds !== undefined && !isWholeBetween(dropAfterSeconds, 0, longestSeconds),
    "dropAfterSeconds",
    `The grace before the old database is dropped cannot be ${dropAfterSeconds} seconds; use whole seconds, up to a hundred years.`,
  );
  if (database === undefined) return drop;
  const { into, jobs } = database;
  return [
    ...drop,
    ...validateDatabaseUrl("database.url", database.url),
    ...when(
      into !== undefined && !waysIn.includes(into),
      "database.into",
      `"${into}" is no way into a database; use ${waysIn.join(", ")}.`,
    ),
    ...when(
      jobs !== undefined && !isWholeBetween(jobs, 1, 64),
      "database.jobs",
      `The number of jobs must be a whole number from 1 to 64, not ${jobs}.`,
    ),
  ];
}

function validateStorageTarget({ storage }: RestoreSpec): Problem[] {
  if (storage === undefined) return [];
  return [
    ...validateFilesUrl("storage.url", storage.url),
    ...validateConcurrency(storage.maxConcurrency),
    ...when(
      !modes.includes(storage.mode),
      "storage.mode",
      `"${storage.mode}" is no mode; use ${modes.join(" or ")}.`,
    ),
  ];
}
