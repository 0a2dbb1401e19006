import {
  missing,
  ok,
  policyStatement,
  type CheckPurpose,
  type RightCheck,
} from "../core/environment/environment-check.ts";
import type { EnvironmentDatabase, EnvironmentStorage } from "../core/environment/environment.ts";
import type { FoundPlace } from "../core/admission/found-place.ts";
import { isBucketUrl, parseBucketUrl } from "../core/files/bucket-url.ts";
import { Failure } from "../core/failure.ts";
import { probePrefix } from "../core/repository/layout.ts";
import type { TaskOf, TaskResults } from "../contract/worker-task.ts";
import { checkBackupRights, checkRestoreRights } from "../databases/postgres/check-rights.ts";
import { resolveConnection } from "../postgres/connection.ts";
import { checkFileSource, openBucket, openFileTarget } from "./open-files.ts";
import { identifyPlaces } from "./identify-places.ts";
import { withSecrets } from "./resolve-secrets.ts";
import { readObject } from "./streams/read-object.ts";
import type { TaskRun } from "./task.ts";

/**
 * Proves each right that a backup of the environment, or a restore into it, will need. What misses is an answer with
 * what gives it. Writes only where a restore would, under names of its own that it removes again.
 */
export async function checkEnvironment(
  { environment, purposes }: TaskOf<"check-environment">,
  run: TaskRun,
): Promise<TaskResults["check-environment"]> {
  const checks: RightCheck[] = [];
  const found = [
    ...(await Promise.all(environment.databases.map(async (one) => await identify({ database: one }, run)))),
    ...(await Promise.all(environment.storages.map(async (one) => await identify({ storage: one }, run)))),
  ].flat();
  for (const purpose of purposes) {
    for (const database of environment.databases)
      checks.push(...(await checkDatabase(database, purpose, run)));
    for (const storage of environment.storages) checks.push(...(await checkStorage(storage, purpose, run)));
  }
  if (purposes.includes("backup")) checks.push(...(await checkRepositoryRights(run)));
  return { checks, found };
}

/** What cannot be reached stays unknown: the checks say why. */
async function identify(
  named: { readonly database?: EnvironmentDatabase; readonly storage?: EnvironmentStorage },
  run: TaskRun,
): Promise<readonly FoundPlace[]> {
  try {
    const { database: { password } = {}, storage: { credentials } = {} } = named;
    return await identifyPlaces(named, {
      ...run,
      env: await withSecrets({ password, credentials }, run.env),
    });
  } catch {
    return [];
  }
}

async function checkDatabase(
  { name, url, password, tools }: EnvironmentDatabase,
  purpose: CheckPurpose,
  run: TaskRun,
): Promise<RightCheck[]> {
  const subject = `database ${name}`;
  try {
    const env = await withSecrets({ password }, run.env);
    const connection = await resolveConnection(url, env);
    return purpose === "backup"
      ? await checkBackupRights(subject, connection, { env, ...(tools === undefined ? {} : { tools }) })
      : await checkRestoreRights(subject, connection);
  } catch (error) {
    return [missing(subject, "connect", Failure.from(error).message)];
  }
}

async function checkStorage(
  { name, url, credentials }: EnvironmentStorage,
  purpose: CheckPurpose,
  run: TaskRun,
): Promise<RightCheck[]> {
  const subject = `files ${name}`;
  try {
    const own = { ...run, env: await withSecrets({ credentials }, run.env) };
    if (isBucketUrl(url)) return await checkBucket(subject, url, purpose, own);
    return [
      purpose === "backup"
        ? await checkSourceFolder(subject, url, own)
        : await checkTargetFolder(subject, url, own),
    ];
  } catch (error) {
    return [missing(subject, "reach", Failure.from(error).message)];
  }
}

async function checkBucket(
  subject: string,
  url: string,
  purpose: CheckPurpose,
  run: TaskRun,
): Promise<RightCheck[]> {
  const { checkBucketRights } = await import("../stores/s3/check-rights.ts");
  const way = await openBucket(url, run);
  try {
    return await checkBucketRights(subject, way, purpose, `.lc2-check-${run.ids.hex(12)}`);
  } finally {
    way.close();
  }
}

async function checkSourceFolder(subject: string, url: string, run: TaskRun): Promise<RightCheck> {
  await checkFileSource(url, run);
  return ok(subject, "list the folder");
}

async function checkTargetFolder(subject: string, url: string, run: TaskRun): Promise<RightCheck> {
  const target = await openFileTarget(url, "restore-20000101-000000-000000", run);
  try {
    const { problem } = await target.inspect();
    return problem === undefined
      ? ok(subject, "write into the folder")
      : missing(subject, "write into the folder", problem.message);
  } finally {
    await target.close();
  }
}

/** Creates, reads and deletes one object, as backups and deletions do. */
async function checkRepositoryRights({ store, ids }: TaskRun): Promise<RightCheck[]> {
  const subject = "repository";
  const name = `${probePrefix}${ids.hex(16)}/check`;
  const tries: readonly (readonly [
    right: string,
    actions: readonly string[],
    tried: () => Promise<unknown>,
  ])[] = [
    [
      "create",
      ["s3:ListBucket", "s3:PutObject"],
      async () => {
        await store.createPlace?.();
        await store.createIfAbsent(name, Buffer.from("lc2"));
      },
    ],
    ["read", ["s3:GetObject"], async () => await readObject(store, name)],
    ["delete", ["s3:DeleteObject"], async () => await store.delete(name)],
  ];
  const checks: RightCheck[] = [];
  for (const [right, actions, tried] of tries) {
    try {
      await tried();
      checks.push(ok(subject, right));
    } catch (error) {
      const { code, message } = Failure.from(error);
      checks.push(
        missing(subject, right, message, code === "store-access-denied" ? policyFor(store.url, actions) : []),
      );
      // What was not made can be neither read nor deleted.
      if (right === "create") break;
    }
  }
  return checks;
}

function policyFor(url: string, actions: readonly string[]): string[] {
  const parsed = parseBucketUrl(url);
  if (!("place" in parsed)) return [];
  const { place } = parsed;
  const ofBucket = actions.filter((action) => action === "s3:ListBucket");
  const ofObjects = actions.filter((action) => action !== "s3:ListBucket");
  return [
    ...(ofBucket.length === 0 ? [] : [policyStatement(place, ofBucket, "bucket")]),
    policyStatement(place, ofObjects, "objects"),
  ];
}
