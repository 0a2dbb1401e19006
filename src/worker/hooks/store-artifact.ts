import { spawn } from "node:child_process";
import { lstat, readdir, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { HookWork } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import { allowsArtifact } from "../../core/hooks/hook-policy.ts";
import { hookArtifactName } from "../../core/repository/layout.ts";
import type { HookRecord } from "../../core/repository/metadata.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import { createStoredFile } from "../streams/stored-file.ts";
import type { TaskRun } from "../task.ts";

/**
 * Keeps a file or folder as a tar archive in the backup, compressed and encrypted like everything else. Rejects with
 * `hook-artifact-missing` when there is no file. A path that is a link is followed, if what it leads to may be kept
 * (else `hook-not-allowed`); links below it are kept as links. What is older than the hook's run is kept with a warning: the hook may
 * have written elsewhere.
 */
export async function storeArtifact(
  work: HookWork,
  run: TaskRun,
  startedAtMs: number,
  { data }: BackupKeys,
): Promise<NonNullable<HookRecord["artifact"]>> {
  const named = resolve(work.hook.artifactPath ?? "");
  const path = await realpath(named).catch(() => named);
  if (!allowsArtifact(work.policy, path)) {
    throw new Failure(
      "hook-not-allowed",
      `${named} leads to ${path}, which hooks may not keep. Name that path in the installation's list of artifacts.`,
    );
  }
  const { files, newestMs } = await look(path);
  if (files === 0) {
    throw new Failure(
      "hook-artifact-missing",
      `The hook "${work.hook.name}" ended well, but there is no file at ${path}. Compare artifactPath with where it writes.`,
    );
  }
  // Times of files are as fine as a second on some file systems.
  if (newestMs < startedAtMs - 2_000) {
    const message = `What the hook "${work.hook.name}" keeps of ${path} is all older than its run; it may be an earlier one's.`;
    run.report({ type: "log", level: "warn", message });
  }
  const place = { store: run.store, projectId: run.context.projectId, backupId: work.operationId, key: data };
  const writer = await createStoredFile(place, hookArtifactName(work.attempt, work.hook.name));
  try {
    await packInto(path, (piece) => writer.write(piece), run.signal);
    return { ...(await writer.finish()), files };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

async function look(path: string): Promise<{ files: number; newestMs: number }> {
  const top = await lstat(path).catch(() => undefined);
  if (top === undefined) return { files: 0, newestMs: 0 };
  if (!top.isDirectory()) return { files: top.isFile() ? 1 : 0, newestMs: top.mtimeMs };
  const found = { files: 0, newestMs: top.mtimeMs };
  for await (const file of filesBelow(path)) {
    const { mtimeMs } = await lstat(file);
    found.files += 1;
    found.newestMs = Math.max(found.newestMs, mtimeMs);
  }
  return found;
}

/** As tar goes: not through links, which a recursive `readdir` follows. */
async function* filesBelow(folder: string): AsyncGenerator<string> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}

/** The machine's own tar: names, rights and links as they are, and every system can unpack it. */
async function packInto(
  path: string,
  write: (piece: Buffer) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const tar = spawn(
    "tar",
    ["--create", "--file=-", "--directory", dirname(path), "--", `./${basename(path)}`],
    {
      stdio: ["ignore", "pipe", "pipe"],
      signal,
    },
  );
  let said = "";
  tar.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-600)));
  const ended = new Promise<number | null>((resolve, reject) => {
    tar.once("error", reject);
    tar.once("close", resolve);
  });
  ended.catch(() => undefined);
  for await (const piece of tar.stdout) await write(piece as Buffer);
  const code = await ended.catch((cause: unknown) => {
    throw new Failure(
      "hook-failed",
      `tar cannot be started: ${String(cause)}. It packs what hooks keep; install it.`,
    );
  });
  if (code !== 0)
    throw new Failure("hook-failed", `tar could not pack ${path} (exit code ${code}): ${said.trim()}`);
}
