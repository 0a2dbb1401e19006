import { createHash } from "node:crypto";
import { write } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { Failure } from "../../core/failure.ts";
import { textsInKey } from "../../core/files/filter.ts";
import { encodeKey, showKey } from "../../core/repository/manifest.ts";
import type { BackupMetadata } from "../../core/repository/metadata.ts";
import { namedStoredFiles } from "../../core/repository/stored-files.ts";
import type { TaskOf, TaskResults } from "../../contract/worker-task.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import { manifestEntries, readEntry } from "./read-files.ts";
import { openBackup } from "../repository/read-metadata.ts";
import { ProgressReporter } from "../report-progress.ts";
import { readStoredFile } from "../streams/stored-file.ts";
import type { TaskRun } from "../task.ts";

const writeSome = promisify(write);

/**
 * Writes one thing out of a backup, decrypted and unpacked, to standard output (which the caller directed at
 * its goal): a file of the source by its path, or a file of the database or what a hook left by its name in the backup
 * without the attempt (`database/lportal.dump`, a stock custom archive; `hooks/export/artifact.tar`). Every byte is verified; when it turns out
 * damaged at the end, the task fails and the caller must throw away what came.
 */
export async function download(task: TaskOf<"download">, run: TaskRun): Promise<TaskResults["download"]> {
  const { metadata, keys } = await openBackup(run, task.backupId);
  const content = findStoredFile(task, run, metadata, keys) ?? (await findEntry(task, run, metadata, keys));
  const progress = new ProgressReporter(run, { component: "download", phase: "reading", bytes: 0 });
  const sha256 = createHash("sha256");
  let bytes = 0;
  for await (const piece of content) {
    run.signal.throwIfAborted();
    await writeAll(piece);
    sha256.update(piece);
    bytes += piece.length;
    progress.add(piece.length);
  }
  progress.end();
  return { bytes, sha256: sha256.digest("hex") };
}

function findStoredFile(
  task: TaskOf<"download">,
  run: TaskRun,
  metadata: BackupMetadata,
  keys: BackupKeys,
): AsyncIterable<Buffer> | undefined {
  const attempt = `a${metadata.attempt}/`;
  const wanted = task.path.startsWith(attempt) ? task.path : attempt + task.path;
  if (!wanted.startsWith(`${attempt}database/`) && !wanted.startsWith(`${attempt}hooks/`)) return undefined;
  const file = namedStoredFiles(metadata).find((candidate) => candidate.name === wanted);
  if (file === undefined) return undefined;
  const place = {
    store: run.store,
    projectId: metadata.projectId,
    backupId: metadata.backupId,
    key: keys.data,
  };
  return readStoredFile(place, file, { verifyChecksum: true, releasePieces: true });
}

async function findEntry(
  task: TaskOf<"download">,
  run: TaskRun,
  metadata: BackupMetadata,
  keys: BackupKeys,
): Promise<AsyncIterable<Buffer>> {
  const key = encodeKey(task.path.replace(/^\/+/, ""));
  for await (const entry of manifestEntries(run, metadata, keys, textsInKey(key))) {
    if (entry.key < key) continue;
    if (entry.key !== key) break;
    if (entry.kind === "file") return readEntry(run, task.backupId, keys, entry);
    throw new Failure(
      "path-not-found",
      `${showKey(key)} in ${task.backupId} is a ${entry.kind}, not a file.`,
    );
  }
  throw new Failure(
    "path-not-found",
    `${task.backupId} holds no file ${showKey(key)}. \`lc2 backup browse ${task.backupId}\` lists what it holds.`,
  );
}

/**
 * Waits while the reader is slow, and never in the way of the lease and of what is heard from the parent. A pipe
 * set to non-blocking says EAGAIN where another waits.
 */
async function writeAll(piece: Buffer): Promise<void> {
  for (let offset = 0; offset < piece.length;) {
    try {
      offset += (await writeSome(1, piece, offset, piece.length - offset, null)).bytesWritten;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "EAGAIN") await pause(5);
      else if (code === "EPIPE") throw new Failure("cancelled", "Whoever read the download stopped reading.");
      else if (code === "ENOSPC")
        throw new Failure("disk-full", "There is no space left where the download is written.");
      else throw error;
    }
  }
}
