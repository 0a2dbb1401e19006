import type { TaskOf, TaskResults } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import type { Recipient } from "../../core/ports/key-service.ts";
import type { KeyEntry, Keyring } from "../../core/repository/keyring.ts";
import { keyringName } from "../../core/repository/layout.ts";
import { printKeyring, readKeyring } from "./backup-keys.ts";
import { KeyringOpener, wrapKey } from "./keyring-entries.ts";
import { withExclusiveLease } from "../repository/repository-lease.ts";
import { listBackupFolders, openRepository } from "../repository/repository.ts";
import type { TaskRun } from "../task.ts";

/**
 * Wraps the keys in every keyring of the project for its recipients of now: the current project key and,
 * where one is set up, the recovery key. No data moves. With `dryRun` it only counts.
 *
 * Each keyring is replaced in one step, after its new entries were opened again; one that is up to date is
 * left alone, so a second call goes on where a dead one stopped. The repository's exclusive lease keeps
 * backups from adding references, and deletions from destroying keyrings, under its hands.
 *
 * A keyring with an entry that does not open keeps that entry as it is; the others are done first, then the
 * task rejects with that entry's failure.
 */
export async function rotateKeys(
  task: TaskOf<"rotate-keys">,
  run: TaskRun,
): Promise<TaskResults["rotate-keys"]> {
  const { projectId } = run.context;
  await openRepository(run);
  const { recipients } = await run.keys.recipients(projectId, { create: false });
  return withExclusiveLease(run, `re-wrapping the keys of ${projectId}`, async (signal) => {
    const counts = { rewrapped: 0, alreadyCurrent: 0 };
    const failures: Failure[] = [];
    for await (const { backupId } of listBackupFolders(run, projectId)) {
      signal.throwIfAborted();
      const outcome = await rewrapKeyring(run, backupId, recipients, task.dryRun, signal).catch(
        (error: unknown) => {
          failures.push(Failure.from(error));
          return "failed" as const;
        },
      );
      if (outcome === "rewrapped") counts.rewrapped += 1;
      if (outcome === "current") counts.alreadyCurrent += 1;
    }
    if (failures.length > 0) throw summarise(failures, counts.rewrapped + counts.alreadyCurrent);
    const current = recipients.find(({ kind }) => kind === "project");
    return { ...counts, keyId: current?.id ?? "" };
  });
}

async function rewrapKeyring(
  run: TaskRun,
  backupId: string,
  recipients: readonly Recipient[],
  dryRun: boolean,
  signal: AbortSignal,
): Promise<"rewrapped" | "current" | "none"> {
  const { projectId } = run.context;
  const keyring = await readKeyring(run.store, projectId, backupId);
  // What a deletion left, or an attempt that died before it had keys.
  if (keyring === undefined) return "none";
  const { data, files } = keyring.keys;
  const entries = [data, files, ...Object.values(keyring.references)];
  if (entries.every((entry) => isWrappedFor(entry, recipients))) return "current";
  const { rewrapped, failures } = await rewrapEntries(run, keyring, recipients);
  signal.throwIfAborted();
  if (!dryRun) await run.store.replace(keyringName(projectId, backupId), printKeyring(rewrapped));
  if (failures[0] !== undefined) throw failures[0];
  return "rewrapped";
}

/**
 * A keyring with every entry wrapped for these recipients. An entry that does not open stays as it is, and is
 * named in `failures`.
 */
export async function rewrapEntries(
  run: TaskRun,
  keyring: Keyring,
  recipients: readonly Recipient[],
): Promise<{ rewrapped: Keyring; failures: Failure[] }> {
  const failures: Failure[] = [];
  const opener = new KeyringOpener(run.keys, keyring);
  const rewrap = async (name: string, entry: KeyEntry): Promise<KeyEntry> => {
    if (isWrappedFor(entry, recipients)) return entry;
    try {
      const key = await opener.open(name, entry);
      const { projectId, backupId } = keyring;
      const renewed = await wrapKey(run.keys, recipients, key, { projectId, backupId, name });
      // The old wrapping is about to be given up: the new one must be seen to open.
      await opener.open(name, renewed);
      return renewed;
    } catch (error) {
      failures.push(Failure.from(error));
      return entry;
    }
  };
  const data = await rewrap("data", keyring.keys.data);
  const files = await rewrap("files", keyring.keys.files);
  const references: Record<string, KeyEntry> = {};
  for (const [id, entry] of Object.entries(keyring.references)) {
    references[id] = await rewrap(`files:${id}`, entry);
  }
  return { rewrapped: { ...keyring, keys: { data, files }, references }, failures };
}

/** Wrapped for exactly these recipients: a former one must be gone too. */
function isWrappedFor(entry: KeyEntry, recipients: readonly Recipient[]): boolean {
  const names = (keys: readonly Recipient[]): string =>
    keys
      .map(({ kind, id }) => `${kind} ${id}`)
      .sort()
      .join();
  return names(entry.wrapped) === names(recipients);
}

function summarise(failures: readonly Failure[], done: number): Failure {
  const [first] = failures as [Failure];
  return new Failure(
    first.code,
    `${failures.length} of ${failures.length + done} keyrings could not be re-wrapped and keep their former key, ` +
      `which stays in the keyfile; the others are done. The first: ${first.message}`,
    { cause: first, retry: first.retry },
  );
}
