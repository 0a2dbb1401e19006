import { isBucketUrl, parseBucketUrl, type BucketPlace } from "../core/files/bucket-url.ts";
import { Failure } from "../core/failure.ts";
import type { FileSource } from "../core/ports/file-source.ts";
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

/** The place of a bucket's URL. Throws `request-invalid` where it is none. */
export function placeOf(url: string): BucketPlace {
  const parsed = parseBucketUrl(url);
  if ("place" in parsed) return parsed.place;
  throw new Failure("request-invalid", parsed.problem);
}

/** What every connection of a task to a store has in common. */
export function s3Options(run: TaskRun, maxConcurrency: number) {
  return {
    signal: run.signal,
    maxConcurrency,
    onNotice: (message: string) => run.report({ type: "log", level: "warn", message }),
  };
}
