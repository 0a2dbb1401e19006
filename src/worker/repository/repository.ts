import { Failure } from "../../core/failure.ts";
import {
  backupIdPattern,
  formatVersion,
  metadataName,
  probePrefix,
  projectPrefix,
  repositoryFile,
  type RepositoryDescription,
} from "../../core/repository/layout.ts";
import { wantedEncryption, type EncryptionWish } from "../../core/repository/encryption.ts";
import { readObject } from "../streams/read-object.ts";
import type { TaskRun } from "../task.ts";

/**
 * The repository's description. Rejects with `repository-not-found`, `format-too-new`, or
 * `repository-occupied` where something else lives at this place.
 */
export async function openRepository(run: TaskRun): Promise<RepositoryDescription> {
  if ((await run.store.head(repositoryFile)) === undefined) {
    throw new Failure(
      "repository-not-found",
      `There is no repository at ${run.store.url}. Check the place; \`lc2 backup create --repository …\` makes a new one.`,
    );
  }
  return parseDescription((await readObject(run.store, repositoryFile)).toString(), run.store.url);
}

/**
 * Opens the repository, or makes one where there is nothing yet, with encryption as it is wished. Safe for two at once.
 * Rejects with `encryption-unproved` where the store was to encrypt and does not prove that it does.
 */
export async function ensureRepository(
  run: TaskRun,
  wish: EncryptionWish = {},
): Promise<{ description: RepositoryDescription; created: boolean }> {
  await run.store.createPlace?.();
  if ((await run.store.head(repositoryFile)) !== undefined) {
    return { description: await openRepository(run), created: false };
  }
  if (await holdsAnything(run)) {
    throw new Failure(
      "repository-occupied",
      `${run.store.url} is not empty and not a repository (it has no ${repositoryFile}). Choose an empty or a new place.`,
    );
  }
  const description: RepositoryDescription = {
    format: "lc2-repository",
    formatVersion,
    id: run.ids.hex(32),
    createdAt: new Date(run.clock.nowMs()).toISOString(),
    ...(await startEncryption(run, wish)),
  };
  await run.store.tryConditions?.(probeFolder(run));
  const created = await run.store.createIfAbsent(
    repositoryFile,
    Buffer.from(`${JSON.stringify(description, null, 2)}\n`),
  );
  return { description: await openRepository(run), created };
}

/** From here on the store writes as the description is going to say. */
async function startEncryption(
  run: TaskRun,
  wish: EncryptionWish,
): Promise<Pick<RepositoryDescription, "encryption" | "serverEncryption">> {
  if (wish.encryption !== "server") return { encryption: "client" };
  if (run.store.encryptBy === undefined) {
    throw new Failure(
      "encryption-unproved",
      `${run.store.url} is a folder, which encrypts nothing by itself. Use a bucket whose store encrypts, or leave ` +
        "--encryption server out: lc2 then encrypts before it writes.",
    );
  }
  const wanted = wantedEncryption(wish);
  const serverEncryption = await run.store.encryptBy(wanted, probeFolder(run));
  return { encryption: "server", serverEncryption };
}

/** A name of its own for what is only tried. */
export const probeFolder = (run: TaskRun): string => `${probePrefix}${run.ids.hex(16)}/`;

async function holdsAnything(run: TaskRun): Promise<boolean> {
  try {
    // What a probe left that was killed is nothing.
    for await (const { name } of run.store.list(""))
      if (name !== repositoryFile && !name.startsWith(probePrefix)) return true;
    for await (const folder of run.store.listFolders("")) if (`${folder}/` !== probePrefix) return true;
    return false;
  } catch (error) {
    // A name that no repository can hold: somebody else's folder.
    if (error instanceof Failure && error.code === "data-damaged") return true;
    throw error;
  }
}

export function parseDescription(text: string, url: string): RepositoryDescription {
  let description: RepositoryDescription;
  try {
    description = JSON.parse(text) as RepositoryDescription;
  } catch (cause) {
    throw new Failure("metadata-damaged", `${repositoryFile} in ${url} is not JSON.`, { cause });
  }
  if (description?.format !== "lc2-repository") {
    throw new Failure("repository-occupied", `${repositoryFile} in ${url} does not describe a repository.`);
  }
  if (description.formatVersion > formatVersion) {
    throw new Failure(
      "format-too-new",
      `${url} has format version ${description.formatVersion}; this lc2 knows up to ${formatVersion}. Use a newer lc2.`,
    );
  }
  return description;
}

/** Ids of all backup folders of a project, sealed or not, in order of creation. Folders of others are none. */
export async function* listBackupFolders(
  run: TaskRun,
  projectId: string,
): AsyncIterable<{ backupId: string; sealed: boolean }> {
  for await (const backupId of run.store.listFolders(projectPrefix(projectId))) {
    if (!backupIdPattern.test(backupId)) continue;
    yield { backupId, sealed: (await run.store.head(metadataName(projectId, backupId))) !== undefined };
  }
}

/** The same run, speaking of another project of the repository. */
export function forProject(run: TaskRun, projectId: string): TaskRun {
  return { ...run, context: { ...run.context, projectId } };
}

/** The newest sealed backup of the run's project. */
export async function findNewestBackup(run: TaskRun): Promise<string | undefined> {
  const { projectId } = run.context;
  const folders: string[] = [];
  for await (const folder of run.store.listFolders(projectPrefix(projectId))) folders.push(folder);
  for (const backupId of folders.reverse()) {
    if ((await run.store.head(metadataName(projectId, backupId))) !== undefined) return backupId;
  }
  return undefined;
}
