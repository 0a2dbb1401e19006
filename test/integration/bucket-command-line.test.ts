/** Buckets as a person uses them: the real command line, a real S3 server, a real database. */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDataset, dropDatasetRoles, type DatasetSummary } from "../../demo/dataset.ts";
import { diffFingerprints, fingerprintDatabase } from "../../demo/fingerprint.ts";
import type { PostgresServer } from "../../demo/postgres-servers.ts";
import { formatBucketUrl } from "../../src/core/files/bucket-url.ts";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { useS3Server, type S3Server, type TestBucket } from "../support/s3-servers.ts";
import { freshDatabase, majorsAvailable, useServer, type TestDatabase } from "../support/servers.ts";

let s3: S3Server;
let server: PostgresServer;
let database: TestDatabase;
let dataset: DatasetSummary;
let lc2: CommandLine;
let doclib: TestBucket;
let repositoryBucket: TestBucket;
let repository: string;
let environment: Record<string, string>;
/** One recovery point of a database and a bucket, in a bucket; each test may rely on it and on no other test. */
let backupId: string;

const contents = new Map<string, string>([
  ["site/größe.txt", "umlauts in the key"],
  ["site/docs/report 1.pdf", "first report"],
  ["site/docs/report 2.pdf", "second report ".repeat(10_000)],
  ["site/docs/deep/er/empty", ""],
]);

beforeAll(async () => {
  s3 = await useS3Server("versitygw");
  server = await useServer((await majorsAvailable()).at(-1) ?? 0);
  database = await freshDatabase(server);
  lc2 = await openCommandLine();
  dataset = await createDataset(server, database.name, join(lc2.folder, "unused"), {
    size: "tiny",
    owner: database.owner,
    staleView: false,
  });
  environment = { ...database.backup.environment, ...s3.environment };
  doclib = await s3.freshBucket();
  for (const [key, body] of contents)
    await doclib.put(key, body, { ContentType: "application/pdf", Metadata: { author: "anne" } });
  await doclib.put("elsewhere/not-of-the-site", "x");
  repositoryBucket = await s3.freshBucket();
  repository = repositoryBucket.urlOf({ prefix: "lc2/" });
  const view = await lc2.json(
    ["backup", "create", "--project", "retail", "--database", database.backup.url].concat([
      "--bucket",
      doclib.urlOf({ prefix: "site/" }),
      "--repository",
      repository,
      "--max-concurrency",
      "4",
    ]),
    environment,
  );
  backupId = String(view["backupId"]);
});

afterAll(async () => {
  await lc2[Symbol.asyncDispose]();
  await database.drop();
  await dropDatasetRoles(server, dataset);
});

const run = async (...words: string[]) => await lc2.run(words, environment);
const runWell = async (...words: string[]): Promise<string> => {
  const { code, stdout, stderr } = await run(...words);
  expect(code, `lc2 ${words.join(" ")}:\n${stderr}`).toBe(0);
  return stdout;
};
async function contentOf(bucket: TestBucket, prefix: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const key of await bucket.keys(prefix)) found.set(key.slice(prefix.length), await bucket.get(key));
  return found;
}
const expected = new Map([...contents].map(([key, body]) => [key.slice("site/".length), body]));

describe("a database and a bucket, backed up into a bucket", () => {
  it("are listed, described, browsed, downloaded one by one, verified and checked", async () => {
    expect(await runWell("backup", "list")).toContain(backupId);
    const page = await runWell("backup", "describe", backupId);
    expect(page).toContain(repository);
    expect(page).toContain(doclib.urlOf({ prefix: "site/" }));
    expect(page).not.toContain(environment["AWS_SECRET_ACCESS_KEY"]);
    const browsed = await runWell("backup", "browse", backupId, "docs/**");
    expect(browsed).toContain("docs/report 1.pdf");
    expect(browsed).not.toContain("größe.txt");
    expect(await runWell("backup", "download", backupId, "größe.txt", "-o", "-")).toBe("umlauts in the key");
    expect(await runWell("backup", "verify", backupId)).toContain("whole");
    expect(await runWell("repository", "check", repository, "--read-data")).toContain("whole");
    expect(await runWell("repository", "sweep", repository, "--dry-run")).toContain("would remove 0 stored");
  });

  it("keep nothing of a credential in the repository, the catalog or the log", async () => {
    const secret = environment["AWS_SECRET_ACCESS_KEY"] ?? "";
    const metadata = await repositoryBucket.get(`lc2/backups/retail/${backupId}/metadata.json`);
    expect(metadata).toContain(doclib.name);
    for (const text of [
      metadata,
      await readFile(join(lc2.folder, "data", "catalog.db"), "latin1"),
      await runWell("backup", "logs", backupId),
      await runWell("backup", "describe", backupId, "-o", "json"),
    ]) {
      expect(text).not.toContain(secret);
    }
  });

  it("are restored into another database and another bucket, undone, and only the backup's objects move", async () => {
    const target = await s3.freshBucket();
    await target.put("copy/docs/report 1.pdf", "somebody else's words");
    await target.put("copy/mine", "stays");
    await using empty = await freshDatabase(server);
    const restored = await lc2.json(
      ["restore", "create", "--from", backupId, "--database", empty.owner.url, "--yes", "--bucket"].concat(
        target.urlOf({ prefix: "copy/" }),
      ),
      { ...environment, ...empty.owner.environment },
    );
    const now = await contentOf(target, "copy/");
    expect(now).toEqual(new Map([...expected, ["mine", "stays"]]));
    const isRows = ({ what }: { what: string }): boolean => what.startsWith("table ");
    const before = await fingerprintDatabase(server, database.name);
    expect(diffFingerprints(before, await fingerprintDatabase(server, empty.name)).filter(isRows)).toEqual(
      [],
    );
    expect(restored).toMatchObject({ status: "Completed", files: { added: 3, replaced: 1, removed: 0 } });
  });

  it("of a bucket alone is undone: overwritten objects come back, added ones go", async () => {
    const target = await s3.freshBucket();
    await target.put("docs/report 1.pdf", "somebody else's words");
    const plan = await runWell("restore", "plan", "--from", backupId, "--bucket", target.url);
    expect(plan).toContain("3 added, 1 overwritten");
    const words = ["restore", "create", "--from", backupId, "--bucket", target.url, "--yes", "-o", "name"];
    const restoreId = (await runWell(...words)).trim();
    expect(await contentOf(target, "")).toEqual(expected);
    await runWell("restore", "undo", restoreId, "--yes");
    expect(await contentOf(target, "")).toEqual(new Map([["docs/report 1.pdf", "somebody else's words"]]));
  });

  it("is found from nothing by another machine with the exported key", async () => {
    await using machine = await openCommandLine();
    const keyfile = join(machine.folder, "retail.key");
    await writeFile(keyfile, (await lc2.run(["key", "export", "--project", "retail"])).stdout);
    expect(await machine.run(["key", "import", keyfile])).toMatchObject({ code: 0 });
    const scan = await machine.run(["repository", "scan", repository], s3.environment);
    expect(scan, scan.stderr).toMatchObject({ code: 0 });
    expect(scan.stdout).toContain(backupId);
    const args = ["restore", "create", "--from", backupId, "--files", "restored", "--yes"];
    const restored = await machine.run(args, s3.environment);
    expect(restored, restored.stderr).toMatchObject({ code: 0 });
    for (const [key, body] of expected)
      expect(await readFile(join(machine.folder, "restored", key), "utf8"), key).toBe(body);
  });
});

describe("folders and buckets", () => {
  it("mix: folder into bucket, bucket into folder, and back", async () => {
    const source = join(lc2.folder, "mixed");
    await mkdir(join(source, "below"), { recursive: true });
    await writeFile(join(source, "below", "a.txt"), "from a folder");
    const create = ["backup", "create", "-o", "name", "--project", "mixed"];
    const fromFolder = await runWell(...create, "--files", source, "--repository", repository);
    const target = await s3.freshBucket();
    await runWell("restore", "create", "--from", fromFolder.trim(), "--bucket", target.url, "--yes");
    expect(await contentOf(target, "")).toEqual(new Map([["below/a.txt", "from a folder"]]));

    const folder = join(lc2.folder, "folder-repository");
    const fromBucket = await runWell(...create, "--bucket", target.url, "--repository", folder);
    await rm(source, { recursive: true });
    await runWell("restore", "create", "--from", fromBucket.trim(), "--files", source, "--yes");
    expect(await readFile(join(source, "below", "a.txt"), "utf8")).toBe("from a folder");
  });

  it("unchanged objects are referred to, and the deletion of the first backup keeps the second whole", async () => {
    const source = await s3.freshBucket();
    await source.put("old", "old ".repeat(1000));
    const place = (await s3.freshBucket()).url;
    const create = ["backup", "create", "--bucket", source.url, "--repository", place, "--project", "twice"];
    const first = (await runWell(...create, "-o", "name")).trim();
    await source.put("new", "new");
    const second = await lc2.json(create, environment);
    expect(second).toMatchObject({
      metadata: { components: { files: { newObjects: 1, unchangedObjects: 1 } } },
    });
    await runWell("backup", "delete", first, "--yes");
    expect(await runWell("repository", "check", place, "--read-data")).toContain("whole");
    expect(await runWell("backup", "download", String(second["backupId"]), "old", "-o", "-")).toBe(
      "old ".repeat(1000),
    );
  });
});

describe("a store", () => {
  it("is probed: a line for each capability, and nothing stays behind", async () => {
    const bucket = await s3.freshBucket();
    const page = await runWell("repository", "probe", bucket.url);
    expect(page).toContain("no repository yet");
    expect(page).toMatch(/^ {2}yes +conditional-create/m);
    expect(await bucket.keys()).toEqual([]);
    const probed = await lc2.json(["repository", "probe", bucket.url], environment);
    expect(probed["capabilities"]).toContainEqual(
      expect.objectContaining({ name: "listing", answer: "yes" }),
    );
  });
});

describe("the rights that the guide asks for", () => {
  const asGuest = async (words: readonly string[]) =>
    await lc2.run([...words, "--project", "rights"], { ...environment, ...s3.guestEnvironment });

  it("are enough for a source, a repository and a target, and the source's for nothing more", async () => {
    const [source, place, target] = [await s3.freshBucket(), await s3.freshBucket(), await s3.freshBucket()];
    await source.put("site/a", "a", { Tagging: "kind=letter" });
    for (const [bucket, use] of [
      [source, "source"],
      [place, "repository"],
      [target, "target"],
    ] as const)
      await bucket.allowGuest(await readRights(use));
    const siteOf = (bucket: TestBucket): string => bucket.urlOf({ prefix: "site/" });

    const create = ["backup", "create", "--bucket", siteOf(source), "--repository", siteOf(place)];
    const made = await asGuest([...create, "-o", "name"]);
    expect(made, made.stderr).toMatchObject({ code: 0 });
    expect(made.stderr).not.toContain("may not be read");
    const id = made.stdout.trim();
    await target.put("site/a", "older");
    const restored = await asGuest([
      "restore",
      "create",
      "--from",
      id,
      "--bucket",
      siteOf(target),
      "-o",
      "name",
    ]);
    expect(restored, restored.stderr).toMatchObject({ code: 0 });
    expect(await target.get("site/a")).toBe("a");
    const undo = ["restore", "undo", restored.stdout.trim(), "--yes"];
    expect(await lc2.run(undo, { ...environment, ...s3.guestEnvironment })).toMatchObject({ code: 0 });
    expect(await target.get("site/a")).toBe("older");
    const deleted = await asGuest(["backup", "delete", id, "--yes"]);
    expect(deleted, deleted.stderr).toMatchObject({ code: 0 });

    const refused = await asGuest([
      "backup",
      "create",
      "--bucket",
      siteOf(source),
      "--repository",
      siteOf(source),
    ]);
    expect(refused.code).not.toBe(0);
    const wrongTarget = await asGuest([
      ...create.slice(0, 4),
      "--repository",
      source.urlOf({ prefix: "site/x/" }),
    ]);
    expect(wrongTarget.code, wrongTarget.stderr).toBe(3);
    expect(wrongTarget.stderr).toContain("store-access-denied");
    expect(wrongTarget.stderr).toMatch(/Add to the policy: \{.*s3:/);
  });
});

/** The statements of docs/guide/buckets.md for a use, as the test's policies take them. */
async function readRights(use: string): Promise<{ actions: string[]; resources: string[] }[]> {
  const guide = await readFile(new URL("../../docs/guide/buckets.md", import.meta.url), "utf8");
  const json = new RegExp(`<!-- rights: ${use} -->\\s*\`\`\`json\\n([^]*?)\`\`\``).exec(guide)?.[1] ?? "";
  const statements = JSON.parse(json) as readonly { Action: string[]; Resource: string }[];
  return statements.map(({ Action, Resource }) => ({
    actions: Action,
    resources: [Resource.replace(/^arn:aws:s3:::doclib\/?/, "")],
  }));
}

describe("a bucket that is missing", () => {
  it("is made by a restore that said so in its plan, and by the first backup into it", async () => {
    const place = (name: string) => doclib.urlOf({ bucket: `${doclib.name}-${name}` });
    const from = ["--from", backupId, "--bucket", place("target")];
    expect(await runWell("restore", "plan", ...from)).toContain(`Make the bucket ${place("target")}`);
    const create = ["backup", "create", "--bucket", doclib.url, "--repository", place("repository")];
    expect(await runWell(...create, "--project", "made", "--dry-run")).toContain("(would be made)");
    await runWell("restore", "create", ...from, "--yes");
    await runWell(...create, "--project", "made");
    expect(await runWell("repository", "check", place("repository"))).toContain("whole");
  });
});

describe("what is wrong is said, with its exit code", () => {
  const create = (bucket: string): string[] => ["backup", "create", "--bucket", bucket];
  const otherPlace = (changes: object): string =>
    formatBucketUrl({
      bucket: doclib.name,
      prefix: "",
      endpoint: s3.endpoint,
      region: "us-east-1",
      ...changes,
    });
  const closed = "http://127.0.0.1:9";

  it.each<[string, () => string[], Record<string, string>, number, string, RegExp]>([
    [
      "an unknown access key",
      () => create(doclib.url),
      { AWS_ACCESS_KEY_ID: "nobody" },
      3,
      "store-credentials-wrong",
      /does not know the access key/,
    ],
    [
      "a wrong secret",
      () => create(doclib.url),
      { AWS_SECRET_ACCESS_KEY: "hunter2-hunter2" },
      3,
      "store-credentials-wrong",
      /secret does not fit the access key.*AWS_SECRET_ACCESS_KEY/,
    ],
    [
      "no credentials at all",
      () => create(doclib.url),
      { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" },
      3,
      "store-credentials-missing",
      /AWS_ACCESS_KEY_ID.*profile/,
    ],
    [
      "a profile that is not there",
      () => create(otherPlace({ profile: "nobody" })),
      {},
      3,
      "store-credentials-missing",
      /profile nobody/,
    ],
    [
      "a missing bucket",
      () => create(otherPlace({ bucket: "no-such-bucket" })),
      {},
      4,
      "bucket-not-found",
      /no bucket no-such-bucket at http/,
    ],
    [
      "a missing bucket as repository",
      () => ["repository", "check", otherPlace({ bucket: "no-such-bucket" })],
      {},
      4,
      "bucket-not-found",
      /no-such-bucket/,
    ],
    [
      "a bucket without a repository",
      () => ["repository", "check", doclib.url],
      {},
      4,
      "repository-not-found",
      /no repository at s3:/,
    ],
    [
      "https where http is spoken",
      () => create(otherPlace({ endpoint: s3.endpoint.replace("http:", "https:") })),
      {},
      1,
      "store-tls-failed",
      /does not speak TLS/,
    ],
    [
      "a closed port",
      () => create(otherPlace({ endpoint: closed })),
      {},
      1,
      "store-unreachable",
      /127\.0\.0\.1:9/,
    ],
    [
      "credentials in the URL",
      () => create(doclib.url.replace("s3://", "s3://AKIA:hunter2@")),
      {},
      2,
      "lc2 backup create --help",
      /--bucket: .* carries credentials/,
    ],
  ])("%s", async (_name, words, env, exitCode, code, sentence) => {
    const { code: ended, stdout, stderr } = await lc2.run(words(), { ...environment, ...env });
    expect(stderr).toMatch(sentence);
    expect(stderr).toContain(code);
    expect(ended, stderr).toBe(exitCode);
    expect(stdout + stderr).not.toContain("hunter2");
  });
});
