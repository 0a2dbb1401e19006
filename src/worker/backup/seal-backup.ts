import { Failure } from "../../core/failure.ts";
import { evidenceName, formatVersion, hookEvidenceName, metadataName } from "../../core/repository/layout.ts";
import type {
  BackupMetadata,
  DatabaseComponent,
  FilesComponent,
  HookRecord,
} from "../../core/repository/metadata.ts";
import type { TaskOf } from "../../contract/worker-task.ts";
import { openBackupKeys, type BackupKeys } from "../keys/backup-keys.ts";
import { commitMetadata } from "../repository/commit-metadata.ts";
import { readMetadata, signMetadata } from "../repository/read-metadata.ts";
import { openRepository } from "../repository/repository.ts";
import { withSharedLease } from "../repository/repository-lease.ts";
import type { TaskRun } from "../task.ts";
import { findEvidence } from "./evidence.ts";
import { softwareVersion } from "../version.ts";

/**
 * Commits a backup: reads the evidence that the attempt's tasks left in the repository, asks the store for
 * every file it names, and creates `metadata.json` if there is none. That one conditional create is what
 * makes the backup exist.
 *
 * Idempotent: when the backup is sealed already, its metadata is returned as it is.
 * Rejects with `evidence-missing`, `evidence-damaged` or `backup-incomplete`; then nothing became visible.
 */
export async function sealBackup(task: TaskOf<"seal-backup">, run: TaskRun): Promise<BackupMetadata> {
  return withSharedLease(run, `sealing ${task.backupId}`, async (signal) => {
    const { projectId } = run.context;
    const name = metadataName(projectId, task.backupId);
    if ((await run.store.head(name)) !== undefined) return readMetadata(run, task.backupId);

    const keys = await openBackupKeys(run, task.backupId);
    const unsigned = await collectMetadata({ task, run, keys }, await encryptionOf(run, keys));
    const metadata: BackupMetadata = { ...unsigned, signature: signMetadata(unsigned, keys.signing) };
    const bytes = Buffer.from(`${JSON.stringify(metadata, null, 2)}\n`);
    await commitMetadata({ ...run, signal }, metadata, bytes, keys);
    return readMetadata(run, task.backupId, keys);
  });
}

async function encryptionOf(
  run: TaskRun,
  { encryption }: BackupKeys,
): Promise<Pick<BackupMetadata, "encryption" | "serverEncryption">> {
  const accepted = run.context.serverEncryption ?? (await openRepository(run)).serverEncryption;
  const serverEncryption = encryption === "server" ? accepted : undefined;
  return { encryption, ...(serverEncryption === undefined ? {} : { serverEncryption }) };
}

/** What is sealed, and with what. */
interface Sealing {
  readonly task: TaskOf<"seal-backup">;
  readonly run: TaskRun;
  readonly keys: BackupKeys;
}

async function collectMetadata(
  sealing: Sealing,
  encryption: Pick<BackupMetadata, "encryption" | "serverEncryption">,
): Promise<Omit<BackupMetadata, "signature">> {
  const { task, run } = sealing;
  const database =
    task.spec.database === undefined ? undefined : await readEvidence<DatabaseComponent>(sealing, "database");
  const files =
    task.spec.storage === undefined ? undefined : await readEvidence<FilesComponent>(sealing, "files");
  const hooks = await collectHooks(sealing);
  const skew =
    database === undefined || files === undefined
      ? undefined
      : (Date.parse(files.listingFinishedAt) - Date.parse(database.recoveryPoint.at)) / 1000;
  const databaseStored = [database?.toc, database?.inventory, database?.roles, ...(database?.archives ?? [])];
  const databaseStoredBytes = databaseStored.reduce((sum, file) => sum + (file?.sizeBytes ?? 0), 0);
  return {
    format: "lc2-backup",
    formatVersion,
    projectId: run.context.projectId,
    backupId: task.backupId,
    attempt: task.attempt,
    ...(task.spec.application === undefined ? {} : { application: task.spec.application }),
    ...(task.spec.environment === undefined ? {} : { environment: task.spec.environment }),
    createdAt: task.createdAt,
    sealedAt: new Date(run.clock.nowMs()).toISOString(),
    writtenBy: `lc2 ${softwareVersion}`,
    ...encryption,
    components: {
      ...(database === undefined ? {} : { database }),
      ...(files === undefined ? {} : { files }),
      ...(hooks.length === 0 ? {} : { hooks }),
    },
    ...(skew === undefined ? {} : { skewSeconds: skew }),
    storedBytes:
      databaseStoredBytes +
      (files?.stored.sizeBytes ?? 0) +
      (files?.manifest.sizeBytes ?? 0) +
      sum(hooks.map(({ artifact }) => artifact?.sizeBytes ?? 0)),
    sourceBytes:
      (database?.archives.reduce((sum, archive) => sum + archive.plainBytes, 0) ?? 0) +
      (files?.sourceBytes ?? 0) +
      sum(hooks.map(({ artifact }) => artifact?.plainBytes ?? 0)),
    restoreByHand: "docs/operations/restore-by-hand.md",
  };
}

/** What hooks that had to succeed left; of the others, where they did. */
async function collectHooks({ task, run, keys }: Sealing): Promise<HookRecord[]> {
  const records: HookRecord[] = [];
  for (const { name, onError } of task.spec.preBackupHooks ?? []) {
    const evidence = hookEvidenceName(task.attempt, name);
    const found = await findEvidence<HookRecord>(run, task.backupId, evidence, keys);
    if (found === undefined && onError !== "continue") throw evidenceMissing(task, run, `hook "${name}"`);
    if (found !== undefined) records.push(found);
  }
  return records;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

async function readEvidence<T extends object>(
  { task, run, keys }: Sealing,
  component: "database" | "files",
): Promise<T> {
  const name = evidenceName(task.attempt, component);
  const found = await findEvidence<T>(run, task.backupId, name, keys);
  if (found === undefined) throw evidenceMissing(task, run, `${component} part`);
  return found;
}

const evidenceMissing = ({ backupId }: TaskOf<"seal-backup">, run: TaskRun, part: string): Failure =>
  new Failure(
    "evidence-missing",
    `The ${part} of ${backupId} left no evidence in ${run.store.url}, so the backup is not complete. Run it again.`,
  );
