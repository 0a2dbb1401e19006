import { Failure } from "../failure.ts";
import { parseDatabaseUrl } from "../database/database-url.ts";
import { isBucketUrl, parseBucketUrl } from "../files/bucket-url.ts";
import { validateHooks } from "../hooks/validate-hooks.ts";
import { isWholeBetween, when, type Problem } from "../problem.ts";
import { projectIdPattern } from "../repository/layout.ts";
import type { EncryptionWish } from "../repository/encryption.ts";
import { hooksOfBackup, type BackupSpec, type DatabaseSourceSpec, type FilesSourceSpec } from "./backup.ts";

export type { Problem } from "../problem.ts";

const applications: readonly string[] = ["liferay", "drupal", "bloomreach"];

/** Everything that is wrong with a request for a backup, at once; empty when it may be tried. */
export function validateBackup(spec: BackupSpec): readonly Problem[] {
  return [
    ...validateProjectId(spec.projectId),
    ...validateApplication(spec.application),
    ...when(
      spec.provider !== "local",
      "provider",
      `The provider ${spec.provider} is not available; use local.`,
    ),
    ...(spec.database === undefined && spec.storage === undefined ? [nothingToBackUp] : []),
    ...(spec.database === undefined ? [] : validateDatabase(spec.database)),
    ...(spec.storage === undefined ? [] : validateStorage(spec.storage)),
    ...validateEncryption(spec),
    ...validateHooks(hooksOfBackup(spec), { of: "backup", hasDatabase: spec.database !== undefined }),
  ];
}

const nothingToBackUp: Problem = {
  code: "nothing-to-back-up",
  field: "database",
  message: "The request names neither a database nor files. Give --database, --files or --bucket.",
};

/** The repository's own place is looked at by the worker. */
function validateEncryption({ encryption, kmsKey }: EncryptionWish): Problem[] {
  return [
    ...when(
      encryption !== undefined && encryption !== "client" && encryption !== "server",
      "encryption",
      `The encryption is client or server, not ${String(encryption)}.`,
    ),
    ...when(
      kmsKey !== undefined && encryption !== "server",
      "kmsKey",
      "A key of the store's key service is only used with encryption by the store (server).",
    ),
    ...when(
      kmsKey !== undefined && !/^[\x21-\x7e]{1,2048}$/.test(kmsKey),
      "kmsKey",
      "The key is named by its id, ARN or alias: printable characters without blanks.",
    ),
  ];
}

function validateDatabase(database: DatabaseSourceSpec): Problem[] {
  const { streams, lockTimeoutMs } = database;
  return [
    ...validateDatabaseUrl("database.url", database.url),
    ...when(
      streams !== undefined && !isWholeBetween(streams, 1, 64),
      "database.streams",
      `The number of streams must be a whole number from 1 to 64, not ${streams}.`,
    ),
    ...when(
      lockTimeoutMs !== undefined && !isWholeBetween(lockTimeoutMs, 1, 86_400_000),
      "database.lockTimeoutMs",
      `The lock timeout must be between 1 ms and a day, not ${lockTimeoutMs} ms.`,
    ),
    ...validatePatterns("database.excludeTables", database.excludeTables),
  ];
}

function validateStorage(storage: FilesSourceSpec): Problem[] {
  return [
    ...validateFilesUrl("storage.url", storage.url),
    ...validateConcurrency(storage.maxConcurrency),
    ...when(
      !(storage.maxShrink >= 0 && storage.maxShrink <= 1),
      "storage.maxShrink",
      `maxShrink is a share from 0 to 1, not ${storage.maxShrink}.`,
    ),
    ...validatePatterns("storage.excludePatterns", storage.excludePatterns),
    ...validatePatterns("storage.excludePaths", storage.excludePaths),
    ...validatePatterns("storage.includePaths", storage.includePaths),
  ];
}

export function validateProjectId(projectId: string): Problem[] {
  return when(
    !projectIdPattern.test(projectId),
    "projectId",
    `"${projectId}" is no project id: lower-case letters, digits and hyphens, at most 63, no hyphen at either end.`,
  );
}

export function validateApplication(application: string | undefined): Problem[] {
  if (application === undefined || applications.includes(application)) return [];
  const message = `There is no application profile "${application}". Use ${applications.join(", ")}, or leave it out.`;
  return [{ code: "application-unknown", field: "application", message }];
}

/** A URL that can be stored and shown: of the right kind, and without a password. Never repeats the URL. */
export function validateDatabaseUrl(field: string, url: string): Problem[] {
  if (!/^postgres(?:ql)?:\/\//i.test(url)) {
    return when(true, field, "The database must be given as postgres://user@host:port/name.");
  }
  const userInfo = /^[^/]+\/\/([^/?#]*)@/.exec(url)?.[1] ?? "";
  if (!userInfo.includes(":") && !/[?&]password=/i.test(url)) return problemsOfUrl(field, url);
  const message =
    "The database URL carries a password, which every user of this machine could read. Remove it and use " +
    "PGPASSWORD, a .pgpass file or a service file.";
  return [{ code: "password-on-command-line", field, message }];
}

function problemsOfUrl(field: string, url: string): Problem[] {
  try {
    parseDatabaseUrl(url);
    return [];
  } catch (error) {
    const { code, message } = Failure.from(error);
    return [{ code, field, message }];
  }
}

/** A place of files or of a repository: a folder, or a bucket without credentials. */
export function validateFilesUrl(field: string, url: string): Problem[] {
  if (!isBucketUrl(url)) {
    const message = `"${url}" is neither a folder nor a bucket; give a path, file:///path or s3://bucket/prefix.`;
    return when(!url.startsWith("file:///"), field, message);
  }
  const parsed = parseBucketUrl(url);
  return "place" in parsed ? [] : [{ code: parsed.code, field, message: parsed.problem }];
}

export function validateConcurrency(maxConcurrency: number | undefined): Problem[] {
  return when(
    maxConcurrency !== undefined && !isWholeBetween(maxConcurrency, 1, 256),
    "storage.maxConcurrency",
    `maxConcurrency is a whole number from 1 to 256, not ${maxConcurrency}.`,
  );
}

function validatePatterns(field: string, patterns: readonly string[]): Problem[] {
  return when(
    patterns.some((pattern) => pattern.trim() === "" || pattern.includes("\0")),
    field,
    `${field} holds an empty pattern.`,
  );
}
