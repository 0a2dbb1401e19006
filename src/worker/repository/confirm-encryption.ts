import { Failure } from "../../core/failure.ts";
import {
  encryptionProblem,
  wantedEncryption,
  type EncryptionWish,
} from "../../core/repository/encryption.ts";
import type { RepositoryDescription } from "../../core/repository/layout.ts";
import type { TaskRun } from "../task.ts";
import { readMetadata } from "./read-metadata.ts";
import { findNewestBackup, probeFolder } from "./repository.ts";

/**
 * Rejects with `encryption-differs`, beginning with `refusal`, where a repository that was there already may not be
 * written as it describes itself: see `encryptionProblem`. Writes nothing.
 */
export async function confirmEncryption(
  run: TaskRun,
  wish: EncryptionWish,
  description: RepositoryDescription,
  refusal: string,
): Promise<void> {
  const newest = description.encryption === "server" ? await findNewestBackup(run) : undefined;
  const sealed = newest === undefined ? undefined : await readMetadata(run, newest);
  const problem = encryptionProblem(wish, description, sealed);
  if (problem !== undefined) throw new Failure("encryption-differs", `${refusal}: ${problem}.`);
}

/**
 * The wish with the key that an alias in it stands for, which only the store knows: it is asked to encrypt something.
 * Rejects with `encryption-unproved` as `encryptBy` does.
 */
export async function resolveKey(
  run: TaskRun,
  wish: EncryptionWish,
  description: RepositoryDescription,
): Promise<EncryptionWish> {
  const isAlias = wish.kmsKey?.includes("alias/") === true;
  if (!isAlias || description.encryption === "client" || run.store.encryptBy === undefined) return wish;
  const { keyId } = await run.store.encryptBy(wantedEncryption(wish), probeFolder(run));
  return keyId === undefined ? wish : { ...wish, kmsKey: keyId };
}
