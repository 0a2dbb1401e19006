import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { WorkerTask } from "../contract/worker-task.ts";
import { resolveSecrets } from "./resolve-secrets.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lc2-secrets-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const env = { DB: "hunter2", ID: "id", EMPTY: "", AWS_SESSION_TOKEN: "of another key" };
/** Only what it refers to is looked at. */
const bare = { kind: "describe-repository" } as WorkerTask;
const backupOf = (parts: object): WorkerTask =>
  Object.assign({ ...bare }, { spec: { projectId: "retail", ...parts } });
const withPassword = (password: string) => backupOf({ database: { url: "postgres://db/a", password } });

describe("the environment of a task", () => {
  test("is the worker's own where it refers to nothing", async () => {
    expect(await resolveSecrets(backupOf({}), env)).toEqual(env);
    expect(await resolveSecrets({ kind: "describe-repository" } as WorkerTask, env)).toEqual(env);
  });

  test("has the password that is referred to, from a variable or a file without its line end", async () => {
    expect(await resolveSecrets(withPassword("env:DB"), env)).toMatchObject({ PGPASSWORD: "hunter2" });
    const file = join(folder, "password");
    await writeFile(file, "two words \n");
    expect(await resolveSecrets(withPassword(`file:${file}`), env)).toMatchObject({
      PGPASSWORD: "two words ",
    });
    const restore: WorkerTask = Object.assign({ ...bare }, { plan: { database: { password: "env:DB" } } });
    expect(await resolveSecrets(restore, env)).toMatchObject({ PGPASSWORD: "hunter2" });
  });

  test("has the credentials of the bucket, and no token of others", async () => {
    const file = join(folder, "key");
    await writeFile(file, "secret");
    const credentials = { accessKeyId: "env:ID", secretAccessKey: `file:${file}` };
    const task = backupOf({ storage: { url: "s3://media", credentials } });
    expect(await resolveSecrets(task, env)).toEqual({
      ...env,
      AWS_ACCESS_KEY_ID: "id",
      AWS_SECRET_ACCESS_KEY: "secret",
      AWS_SESSION_TOKEN: undefined,
    });
    const withToken = backupOf({ storage: { credentials: { ...credentials, sessionToken: "env:DB" } } });
    expect(await resolveSecrets(withToken, env)).toMatchObject({ AWS_SESSION_TOKEN: "hunter2" });
  });

  test.each(["env:NONE", "env:EMPTY", "file:/none/there"])(
    "cannot be had where %s is not there",
    async (reference) => {
      await expect(resolveSecrets(withPassword(reference), env)).rejects.toMatchObject({
        code: "secret-missing",
        message: expect.stringContaining(reference) as string,
      });
    },
  );

  test("is not made of a file that is empty or no secret, nor of a form that is not known", async () => {
    const file = join(folder, "large");
    await writeFile(file, "x".repeat(70_000));
    await expect(resolveSecrets(withPassword(`file:${file}`), env)).rejects.toMatchObject({
      code: "secret-missing",
    });
    await expect(resolveSecrets(withPassword("vault:x"), env)).rejects.toMatchObject({
      code: "not-available",
    });
  });
});
