/** What a backup or a restore will need is proved beforehand, and what misses is said with what gives it. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RightCheck } from "../../src/core/environment/environment-check.ts";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { useS3Server } from "../support/s3-servers.ts";
import {
  freshDatabase,
  majorsAvailable,
  useServer,
  type TestDatabase,
  type TestRole,
} from "../support/servers.ts";

let machine: CommandLine;
let database: TestDatabase;

beforeAll(async () => {
  const server = await useServer((await majorsAvailable()).at(-1) ?? 0);
  database = await freshDatabase(server, { ownerCreatesDatabases: false });
  machine = await openCommandLine();
  await database.server.psql(
    `set role ${database.owner.name}; create schema shop; create table shop.page (id integer)`,
    database.name,
  );
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await database.drop();
});

/** Defines an environment and checks it; the checks that are not ok, and the exit code. */
async function check(
  name: string,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  checkWords: readonly string[] = [],
) {
  await machine.json(["environment", "create", name, ...words, "--replace"]);
  const { code, stdout, stderr } = await machine.run(
    ["environment", "check", name, ...checkWords, "-o", "json"],
    env,
  );
  expect(stdout, stderr).not.toBe("");
  const { checks } = JSON.parse(stdout) as { checks: RightCheck[] };
  return { code, checks, wrong: checks.filter(({ result }) => result !== "ok") };
}
const ofDatabase = ({ url }: TestRole) => ["--database", url, "--password", "env:DB_PASSWORD"];
const secret = ({ password }: TestRole) => ({ DB_PASSWORD: password });
/** Gives what a check says that misses, as an administrator would. */
const grant = async ({ remedy = [] }: RightCheck) => {
  for (const statement of remedy) await database.server.psql(statement, database.name);
};

test("a role that cannot read everything is given the statements that let it, and then can", async () => {
  const reader = `reader_${database.name}`;
  await database.server.psql(`create role ${reader} login password 'reader'`);
  const role = {
    ...database.backup,
    name: reader,
    password: "reader",
    url: database.server.urlOf(database.name, reader),
  };
  const words = [...ofDatabase(role), "--role", "production"];
  const before = await check("prod", words, secret(role));
  expect(before.code).toBe(3);
  expect(before.wrong).toEqual([
    expect.objectContaining({ subject: "database main", right: "read everything", result: "missing" }),
  ]);
  expect(before.wrong[0]?.remedy).toContain(`GRANT USAGE ON SCHEMA "shop" TO "${reader}";`);
  for (const wrong of before.wrong) await grant(wrong);
  const after = await check("prod", words, secret(role));
  expect([after.code, after.wrong]).toEqual([0, []]);
  expect(after.checks.map(({ subject }) => subject)).toContain("repository");
});

test("a role that cannot restore is given the statements that let it, and then can", async () => {
  const { owner } = database;
  const before = await check("staging", ofDatabase(owner), secret(owner));
  expect(before.code).toBe(3);
  expect(before.wrong.map(({ right }) => right)).toEqual(["create databases"]);
  for (const wrong of before.wrong) await grant(wrong);
  expect((await check("staging", ofDatabase(owner), secret(owner))).wrong).toEqual([]);
  const stranger = await check("staging", ofDatabase(database.backup), secret(database.backup));
  expect(stranger.wrong.map(({ right }) => right)).toEqual(["create databases", "write"]);
});

test("a server that does not answer, and a secret that is not there, are what misses", async () => {
  const away = ["--database", "postgres://lc2@127.0.0.1:1/none", "--password", "env:DB_PASSWORD"];
  const unreachable = await check("away", away, secret(database.owner));
  expect(unreachable.wrong).toEqual([expect.objectContaining({ right: "connect", result: "missing" })]);
  const without = await check("away", away, {});
  expect(without.wrong[0]?.message).toContain("env:DB_PASSWORD");
});

test("a bucket is tried by using it, and the policies that are printed are what is needed", async () => {
  const s3 = await useS3Server("versitygw");
  const bucket = await s3.freshBucket();
  await bucket.put("site/page.html", "page");
  const { AWS_ACCESS_KEY_ID: OWN_ID = "", AWS_SECRET_ACCESS_KEY: OWN_KEY = "" } = s3.guestEnvironment;
  const places = ["--bucket", bucket.urlOf({ prefix: "site/" })];
  const words = [...places, "--access-key-id", "env:OWN_ID", "--secret-access-key", "env:OWN_KEY"];
  const tried = async () => await check("media", words, { OWN_ID, OWN_KEY }, ["--for", "restore"]);
  // Nothing is allowed, and one more each time: what cannot be listed cannot be read either.
  const allowed: { actions: string[]; resources: string[] }[] = [];
  const seen: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    const { code, wrong } = await tried();
    if (wrong.length === 0) break;
    expect(code).toBe(3);
    for (const { right, remedy = [] } of wrong) {
      seen.push(right);
      for (const text of remedy) {
        const { Action, Resource } = JSON.parse(text) as { Action: string[]; Resource: string };
        allowed.push({ actions: Action, resources: [Resource.replace(/^arn:aws:s3:::[^/]*\/?/, "")] });
      }
    }
    await bucket.allowGuest(allowed);
  }
  expect(seen).toEqual(
    expect.arrayContaining(["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"]),
  );
  expect((await tried()).wrong).toEqual([]);
  expect(await bucket.keys()).toEqual(["site/page.html"]);
});

test("a folder that is not there is what misses for a backup, and is made by a restore", async () => {
  const place = join(machine.folder, "none");
  const words = ["--files", place];
  expect((await check("files", words, {}, ["--for", "backup"])).wrong).toEqual([
    expect.objectContaining({ subject: "files main", result: "missing" }),
  ]);
  expect((await check("files", words, {}, ["--for", "restore"])).wrong).toEqual([]);
  await mkdir(place);
  expect((await check("files", words, {}, ["--for", "backup"])).wrong).toEqual([]);
});
