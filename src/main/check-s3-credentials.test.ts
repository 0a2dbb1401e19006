import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkS3Credentials } from "./check-s3-credentials.ts";

let folder = "";
let files: Record<string, string> = {};
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lc2-aws-"));
  files = {
    AWS_SHARED_CREDENTIALS_FILE: join(folder, "credentials"),
    AWS_CONFIG_FILE: join(folder, "config"),
  };
  await writeFile(
    join(folder, "credentials"),
    "[backup]\naws_access_key_id = AKIA\naws_secret_access_key = hunter2\n",
    { mode: 0o600 },
  );
  await writeFile(join(folder, "config"), "[profile other]\nregion = x\n[sso-session a]\n");
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const keys = { AWS_ACCESS_KEY_ID: "AKIA", AWS_SECRET_ACCESS_KEY: "hunter2" };

test.each<[string, Record<string, string>, string, string]>([
  ["the variables", keys, "ok", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"],
  ["the variables for a time", { ...keys, AWS_SESSION_TOKEN: "t" }, "ok", "for a time"],
  ["half of them", { AWS_ACCESS_KEY_ID: "AKIA" }, "warning", "AWS_SECRET_ACCESS_KEY is not"],
  ["the other half", { AWS_SECRET_ACCESS_KEY: "hunter2" }, "warning", "AWS_ACCESS_KEY_ID is not"],
  ["a profile", { AWS_PROFILE: "backup" }, "ok", "profile backup (AWS_PROFILE)"],
  ["a profile beside the variables", { ...keys, AWS_PROFILE: "other" }, "ok", "is left aside"],
  ["a profile that is not there", { AWS_PROFILE: "a" }, "warning", "there is no profile a (AWS_PROFILE)"],
  [
    "a web identity",
    { AWS_WEB_IDENTITY_TOKEN_FILE: "/t", AWS_ROLE_ARN: "arn:r" },
    "ok",
    "web identity for arn:r",
  ],
  ["the container", { AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://x" }, "ok", "the container's endpoint"],
  ["profiles to be named", {}, "ok", "profiles backup, other, used only where"],
])("of %s is said where the keys come from, and no key", async (_name, env, state, words) => {
  const [check] = await checkS3Credentials({ ...files, ...env });
  expect(check).toMatchObject({ name: "S3 credentials", state });
  expect(check?.finding).toContain(words);
  expect(JSON.stringify(check)).not.toContain("hunter2");
});

test("the default profile is used without being named, and its file should be private", async () => {
  const file = join(folder, "credentials");
  await writeFile(file, "[default]\naws_access_key_id = AKIA\n");
  expect(await checkS3Credentials(files)).toMatchObject([{ state: "ok", finding: "profile default" }]);
  await chmod(file, 0o644);
  expect(await checkS3Credentials(files)).toMatchObject([{ state: "warning", fix: `chmod 600 ${file}` }]);
});

test("where nothing is set nothing is said", async () => {
  expect(await checkS3Credentials({ HOME: join(folder, "nobody") })).toEqual([]);
});
