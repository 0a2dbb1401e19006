import { readFile } from "node:fs/promises";
import type { WorkerTask } from "../contract/worker-task.ts";
import type { BucketCredentials, SecretReference } from "../core/environment/environment.ts";
import { parseSecretReference } from "../core/environment/secret-reference.ts";
import { Failure } from "../core/failure.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const largestSecretBytes = 65_536;

/**
 * The environment in which a task reaches its database and its files: what the task refers to is read here, where it
 * is needed, and is known to no other process. The repository is reached without it. Rejects with `secret-missing`.
 */
export async function resolveSecrets(task: WorkerTask, env: Environment): Promise<Environment> {
  return await withSecrets(referencesOf(task), env);
}

/** The environment with what is referred to in it. Rejects with `secret-missing`. */
export async function withSecrets(
  { password, credentials }: References,
  env: Environment,
): Promise<Environment> {
  return {
    ...env,
    ...(password === undefined
      ? {}
      : { PGPASSWORD: await readSecret(password, "the database's password", env) }),
    ...(credentials === undefined ? {} : await readCredentials(credentials, env)),
  };
}

interface References {
  readonly password?: SecretReference | undefined;
  readonly credentials?: BucketCredentials | undefined;
}

function referencesOf(task: WorkerTask): References {
  if ("spec" in task)
    return { password: task.spec.database?.password, credentials: task.spec.storage?.credentials };
  if ("plan" in task)
    return { password: task.plan.database?.password, credentials: task.plan.files?.credentials };
  if ("hook" in task) return { password: task.databasePassword };
  return {};
}

async function readCredentials(credentials: BucketCredentials, env: Environment): Promise<Environment> {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return {
    AWS_ACCESS_KEY_ID: await readSecret(accessKeyId, "the bucket's access key id", env),
    AWS_SECRET_ACCESS_KEY: await readSecret(secretAccessKey, "the bucket's secret access key", env),
    // One of another key would not fit.
    AWS_SESSION_TOKEN:
      sessionToken === undefined
        ? undefined
        : await readSecret(sessionToken, "the bucket's session token", env),
  };
}

/** A secret by its reference. `what` it is, for messages. Rejects with `secret-missing`. */
export async function readSecret(
  reference: SecretReference,
  what: string,
  env: Environment,
): Promise<string> {
  const parsed = parseSecretReference(reference);
  if ("problem" in parsed) throw new Failure(parsed.code, `${what}: ${parsed.problem}`);
  if (parsed.kind === "env") {
    const value = env[parsed.name];
    if (value !== undefined && value !== "") return value;
    throw missing(reference, what, "the variable is not set, or empty, where the work is done");
  }
  const bytes = await readFile(parsed.path).catch((cause: unknown) => {
    const reason = cause instanceof Error && "code" in cause ? String(cause.code) : "it cannot be read";
    throw missing(reference, what, `the file cannot be read (${reason}) by the user that does the work`);
  });
  const value = bytes.length > largestSecretBytes ? "" : bytes.toString("utf8").replace(/\r?\n$/, "");
  if (value === "") throw missing(reference, what, "the file is empty, or too large for a secret");
  return value;
}

const missing = (reference: SecretReference, what: string, why: string): Failure =>
  new Failure(
    "secret-missing",
    `${what} is not to be had from ${reference}: ${why}. Put it there, then try again.`,
  );
