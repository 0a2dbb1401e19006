import { isBucketUrl, parseBucketUrl, type BucketPlace } from "../core/files/bucket-url.ts";
import { Failure } from "../core/failure.ts";
import type { FileSource } from "../core/ports/file-source.ts";
import type { FileTarget } from "../core/ports/file-target.ts";
import { operationStartMs } from "../core/repository/layout.ts";
import { temporaryFileName } from "../core/restore/restore-names.ts";
import type { S3Connection } from "../stores/s3/s3-connection.ts";
import type { TaskRun } from "./task.ts";

/** How much may be transferred at a time, as a request says it. */
export interface TransferLimits {
  readonly maxConcurrency?: number;
  readonly parallelTransfer?: boolean;
}

const usualConcurrency = 16;

/** Requests at a time. */
export function concurrencyOf({
  maxConcurrency = usualConcurrency,
  parallelTransfer,
}: TransferLimits): number {
  return parallelTransfer === false ? 1 : maxConcurrency;
}

/** The folder or bucket of a URL as a source of files. Sends nothing; close it. */
export async function openFileSource(
  url: string,
  run: TaskRun,
  limits: TransferLimits = {},
): Promise<FileSource> {
  if (!isBucketUrl(url)) {
    const { openFolderSource } = await import("../stores/filesystem/folder-source.ts");
    return openFolderSource(url);
  }
  const maxConcurrency = concurrencyOf(limits);
  const [{ openS3 }, { openBucketSource }] = await Promise.all([
    import("../stores/s3/s3-connection.ts"),
    import("../stores/s3/bucket-source.ts"),
  ]);
  return openBucketSource(openS3(placeOf(url), run.env, s3Options(run, maxConcurrency)), maxConcurrency);
}

/** Rejects where the folder or bucket of a URL is not there or cannot be listed. */
export async function checkFileSource(url: string, run: TaskRun): Promise<void> {
  if (!isBucketUrl(url)) {
    const { checkFolderSource } = await import("../stores/filesystem/check-folder-source.ts");
    return checkFolderSource(url);
  }
  const [{ openS3 }, { checkBucketSource }] = await Promise.all([
    import("../stores/s3/s3-connection.ts"),
    import("../stores/s3/check-bucket-source.ts"),
  ]);
  const connection = openS3(placeOf(url), run.env, s3Options(run, usualConcurrency));
  try {
    await checkBucketSource(connection);
  } finally {
    connection.close();
  }
}

/** The folder or bucket of a URL, to restore files to. Sends nothing; close it. */
export async function openFileTarget(
  url: string,
  restoreId: string,
  run: TaskRun,
  limits: TransferLimits = {},
): Promise<FileTarget> {
  if (!isBucketUrl(url)) {
    const { openFolderTarget } = await import("../stores/filesystem/folder-target.ts");
    return openFolderTarget(url, temporaryFileName(restoreId));
  }
  const [{ openS3 }, { openBucketTarget }] = await Promise.all([
    import("../stores/s3/s3-connection.ts"),
    import("../stores/s3/bucket-target.ts"),
  ]);
  const connection = openS3(placeOf(url), run.env, s3Options(run, concurrencyOf(limits)));
  return openBucketTarget(connection, operationStartMs(restoreId) - clocksApartMs);
}

/** So much may a store's clock be behind ours, whose uploads are then taken for older than they are. */
const clocksApartMs = 60_000;

/** The way to a bucket; sends nothing. Close it. */
export async function openBucket(url: string, run: TaskRun): Promise<S3Connection> {
  const { openS3 } = await import("../stores/s3/s3-connection.ts");
  return openS3(placeOf(url), run.env, s3Options(run, usualConcurrency));
}

/** The place of a bucket's URL. Throws where it is none, or carries credentials. */
function placeOf(url: string): BucketPlace {
  const parsed = parseBucketUrl(url);
  if ("place" in parsed && parsed.place.storageClass === undefined) return parsed.place;
  if ("place" in parsed) {
    const message =
      "storage-class= in a bucket's URL is for a repository; files keep the class that their bucket gives them.";
    throw new Failure("request-invalid", message);
  }
  throw new Failure(parsed.code, parsed.problem);
}

/** What every connection of a task to a store has in common. */
function s3Options(run: TaskRun, maxConcurrency: number) {
  return {
    signal: run.signal,
    maxConcurrency,
    onNotice: (message: string, level: "info" | "warn") => run.report({ type: "log", level, message }),
  };
}
