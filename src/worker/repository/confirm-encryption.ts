import { Failure } from "../../core/failure.ts";
import { encryptionProblem, type EncryptionWish } from "../../core/repository/encryption.ts";
import type { RepositoryDescription } from "../../core/repository/layout.ts";
import type { TaskRun } from "../task.ts";
import { readMetadata } from "./read-metadata.ts";
import { findNewestBackup } from "./repository.ts";

/**
 * Rejects with `encryption-differs`, beginning with `refusal`, where a repository that was there already may not be
 * written as it describes itself: see `encryptionProblem`.
 */
export async function confirmEncryption(
  run: TaskRun,
  wish: EncryptionWish,
  description: RepositoryDescription,
  refusal: string,
): Promise<void> {
  const needsConfirmation = description.encryption === "server" && wish.encryption === undefined;
  const newest = needsConfirmation ? await findNewestBackup(run) : undefined;
  const sealed = newest === undefined ? undefined : await readMetadata(run, newest);
  const problem = encryptionProblem(wish, description, sealed);
  if (problem !== undefined) throw new Failure("encryption-differs", `${refusal}: ${problem}.`);
}
