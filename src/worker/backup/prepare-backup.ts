import type { PrepareBackupResult, TaskOf, TaskResults } from "../../contract/worker-task.ts";
import { Failure, type FailureCode } from "../../core/failure.ts";
import type { EncryptionWish } from "../../core/repository/encryption.ts";
import { metadataName } from "../../core/repository/layout.ts";
import { identifyPlaces } from "../identify-places.ts";
import { createBackupKeys, openBackupKeys } from "../keys/backup-keys.ts";
import { checkFileSource, openFileSource } from "../open-files.ts";
import { probeDatabase } from "./probe-database.ts";
import { repositoryInside } from "./repository-inside.ts";
import { confirmEncryption, resolveKey } from "../repository/confirm-encryption.ts";
import { ensureRepository, findNewestBackup, openRepository } from "../repository/repository.ts";
import type { TaskRun } from "../task.ts";

/**
 * Everything that can be refused is refused here, before a byte moves: sources first (nothing is made for
 * a request that cannot work), then repository and keyring. Idempotent.
 */
export async function prepareBackup(
  task: TaskOf<"prepare-backup">,
  run: TaskRun,
): Promise<TaskResults["prepare-backup"]> {
  const { spec } = task;
  if (spec.storage !== undefined) {
    await checkFileSource(spec.storage.url, run);
    await refuseRepositoryAmongFiles(spec.storage.url, run);
  }
  const database = spec.database === undefined ? undefined : await probeDatabase(spec.database, run);
  const found = await identifyPlaces(spec, run);
  if (task.dryRun === true) {
    await lookForOtherEncryption(run, spec);
    return { ...(await lookWhatIsMissing(run)), ...(database === undefined ? {} : { database }) };
  }
  const { description, created } = await ensureRepository(run, spec);
  await refuseSecondKey(run);
  if (task.attempt === 1) await refuseTakenId(run, task.backupId);
  if (!created) {
    const wish = await resolveKey(run, spec, description);
    await confirmEncryption(run, wish, description, nothingMade(run));
  }
  const { projectKeyCreated } = await createBackupKeys(run, task.backupId, description.encryption);
  return {
    found,
    repositoryCreated: created,
    keyCreated: projectKeyCreated,
    ...(description.serverEncryption === undefined ? {} : { serverEncryption: description.serverEncryption }),
    ...(database === undefined ? {} : { database }),
  };
}

async function refuseRepositoryAmongFiles(url: string, run: TaskRun): Promise<void> {
  const source = await openFileSource(url, run);
  try {
    await repositoryInside(source, run);
  } finally {
    source.close?.();
  }
}

/**
 * A project has one key, in one repository. Where its newest backup cannot be opened with what is here, the key
 * was lost or is another installation's: a backup under a new one would split the project in silence, and a recovery
 * key made before would not open it. Rejects as `openBackupKeys` does, with the ways out.
 */
async function refuseSecondKey(run: TaskRun): Promise<void> {
  const { projectId } = run.context;
  const newest = await findNewestBackup(run);
  if (newest === undefined) return;
  try {
    await openBackupKeys(run, newest);
  } catch (error) {
    if (!(error instanceof Failure) || (error.code !== "key-missing" && error.code !== "key-wrong")) return;
    throw new Failure(
      error.code,
      `${run.store.url} holds backups of project ${projectId} under a key that is not here (${newest} is the newest). ` +
        "A backup under another key would not belong to them. Bring the key with `lc2 key import`, from an export or the " +
        "recovery key; if it is lost for ever, use another --project or a new --repository.",
      { cause: error },
    );
  }
}

/** The seal would take what is there for its own. A later attempt may have been sealed by an earlier one. */
async function refuseTakenId(run: TaskRun, backupId: string): Promise<void> {
  if ((await run.store.head(metadataName(run.context.projectId, backupId))) === undefined) return;
  throw new Failure(
    "refused-overwrite",
    `${run.store.url} holds a ${backupId} already that this catalog did not know, so nothing was backed up under that ` +
      "name. `lc2 repository scan` takes in what is there; ask for the backup again under another id.",
  );
}

/** Where there is a repository already. */
async function lookForOtherEncryption(run: TaskRun, wish: EncryptionWish): Promise<void> {
  const missing: readonly FailureCode[] = ["repository-not-found", "bucket-not-found"];
  const description = await openRepository(run).catch((error: unknown) => {
    if (error instanceof Failure && missing.includes(error.code)) return undefined;
    throw error;
  });
  if (description !== undefined) await confirmEncryption(run, wish, description, nothingMade(run));
}

const nothingMade = (run: TaskRun): string => `No backup was made in ${run.store.url}`;

async function lookWhatIsMissing(
  run: TaskRun,
): Promise<Pick<PrepareBackupResult, "repositoryCreated" | "keyCreated">> {
  const { projectId } = run.context;
  return {
    repositoryCreated: await isMissing(["repository-not-found", "bucket-not-found"], () =>
      openRepository(run),
    ),
    keyCreated: await isMissing(["key-missing"], () => run.keys.recipients(projectId, { create: false })),
  };
}

async function isMissing(codes: readonly FailureCode[], look: () => Promise<unknown>): Promise<boolean> {
  try {
    await look();
    return false;
  } catch (error) {
    if (error instanceof Failure && codes.includes(error.code)) return true;
    throw error;
  }
}
