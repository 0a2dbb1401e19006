/** `encryption: server` as a person uses it: the store encrypts, and proves it of every object. */
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { HeadObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDataset, dropDatasetRoles, type DatasetSummary } from "../../demo/dataset.ts";
import { diffFingerprints, fingerprintDatabase } from "../../demo/fingerprint.ts";
import type { PostgresServer } from "../../demo/postgres-servers.ts";
import { openHooksMachine } from "../support/hooks-machine.ts";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { useS3Server, type S3Server, type TestBucket } from "../support/s3-servers.ts";
import { until } from "../support/until.ts";
import { freshDatabase, majorsAvailable, useServer, type TestDatabase } from "../support/servers.ts";

let lc2: CommandLine;
let minio: S3Server;
let environment: Record<string, string>;

beforeAll(async () => {
  lc2 = await openCommandLine();
  minio = await useS3Server("minio");
});
afterAll(async () => await lc2?.[Symbol.asyncDispose]());

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

describe("a database and a bucket, backed up where the store encrypts", () => {
  let server: PostgresServer;
  let database: TestDatabase;
  let dataset: DatasetSummary;
  let doclib: TestBucket;
  let repositoryBucket: TestBucket;
  let repository: string;
  let backupId: string;
  const large = randomBytes(3 << 20).toString("base64");

  beforeAll(async () => {
    server = await useServer((await majorsAvailable()).at(-1) ?? 0);
    database = await freshDatabase(server);
    dataset = await createDataset(server, database.name, join(lc2.folder, "unused"), {
      size: "tiny",
      owner: database.owner,
      staleView: false,
    });
    environment = { ...database.backup.environment, ...minio.environment };
    doclib = await minio.freshBucket();
    await doclib.put("docs/größe.txt", "umlauts in the key", { Metadata: { author: "anne" } });
    await doclib.put("docs/large.txt", large, { ContentType: "text/x-large", Tagging: "class=public" });
    await doclib.put("empty", "");
    repositoryBucket = await minio.freshBucket();
    repository = repositoryBucket.urlOf({ prefix: "lc2/" });
    backupId = await backUp("--encryption", "server", "--kms-key", "lc2");
  });
  afterAll(async () => {
    await database?.drop();
    if (dataset !== undefined) await dropDatasetRoles(server, dataset);
  });

  async function backUp(...more: string[]): Promise<string> {
    const words = ["backup", "create", "--project", "retail", "--database", database.backup.url];
    const places = ["--bucket", doclib.url, "--repository", repository];
    return (await runWell(...words, ...places, ...more, "-o", "name")).trim();
  }

  it("have every object of the repository encrypted with the key that was named, as the store itself says", async () => {
    const client = minio.client();
    const keys = await repositoryBucket.keys();
    expect(keys.length).toBeGreaterThan(8);
    for (const Key of keys) {
      const facts = await client.send(new HeadObjectCommand({ Bucket: repositoryBucket.name, Key }));
      expect(facts, Key).toMatchObject({ ServerSideEncryption: "aws:kms", SSEKMSKeyId: "arn:aws:kms:lc2" });
    }
    const metadata = JSON.parse(
      await repositoryBucket.get(`lc2/backups/retail/${backupId}/metadata.json`),
    ) as unknown;
    expect(metadata).toMatchObject({
      encryption: "server",
      serverEncryption: { algorithm: "aws:kms", keyId: "arn:aws:kms:lc2" },
      components: { files: { copied: { files: 1, hashedByStore: 1 } } },
    });
    const page = await runWell("backup", "describe", backupId);
    expect(page).toContain("arn:aws:kms:lc2");
    expect(page).toContain("SHA-256 of 1 from the store");
  });

  it("are there for the store's own tools: a dump is an archive after decompression alone", async () => {
    const [dump] = (await repositoryBucket.keys(`lc2/backups/retail/${backupId}/a1/database/`)).filter(
      (key) => key.endsWith(".dump"),
    );
    const archive = zstdDecompressSync(await repositoryBucket.getBytes(dump ?? ""));
    expect(archive.toString("latin1", 0, 5)).toBe("PGDMP");
  });

  it("are browsed, downloaded, verified, checked and found again", async () => {
    expect(await runWell("backup", "browse", backupId, "docs/**")).toContain("docs/large.txt");
    expect(await runWell("backup", "download", backupId, "docs/large.txt", "-o", "-")).toBe(large);
    expect(await runWell("backup", "verify", backupId)).toContain("whole");
    expect(await runWell("repository", "check", repository, "--read-data")).toContain("whole");
    expect(await runWell("repository", "scan", repository)).toContain(backupId);
    expect(await runWell("repository", "sweep", repository, "--dry-run")).toContain("would remove 0 stored");
  });

  it("are restored into another database and another bucket", async () => {
    const target = await minio.freshBucket();
    await using empty = await freshDatabase(server);
    const words = ["restore", "create", "--from", backupId, "--database", empty.owner.url, "--yes"];
    const restored = await lc2.json([...words, "--bucket", target.url], {
      ...environment,
      ...empty.owner.environment,
    });
    expect(restored).toMatchObject({ status: "Completed", files: { added: 3 } });
    expect(await contentOf(target, "")).toEqual(await contentOf(doclib, ""));
    const isRows = ({ what }: { what: string }): boolean => what.startsWith("table ");
    const before = await fingerprintDatabase(server, database.name);
    expect(diffFingerprints(before, await fingerprintDatabase(server, empty.name)).filter(isRows)).toEqual(
      [],
    );
  });

  it("are restored into a bucket alone, and undone: what was overwritten comes back", async () => {
    const target = await minio.freshBucket();
    await target.put("docs/größe.txt", "somebody else's words");
    const words = ["restore", "create", "--from", backupId, "--bucket", target.url, "--yes", "-o", "name"];
    const restoreId = (await runWell(...words)).trim();
    expect(await contentOf(target, "")).toEqual(await contentOf(doclib, ""));
    await runWell("restore", "undo", restoreId, "--yes");
    expect(await contentOf(target, "")).toEqual(new Map([["docs/größe.txt", "somebody else's words"]]));
  });

  it("are copied as they are to where a store encrypts, and encrypted on their way to where none does", async () => {
    const elsewhere = (await minio.freshBucket()).url;
    await runWell("backup", "copy", backupId, "--to", elsewhere, "--encryption", "server");
    expect(await runWell("backup", "verify", backupId, "--repository", elsewhere)).toContain("whole");
    const folder = join(lc2.folder, "copied");
    await runWell("backup", "copy", backupId, "--to", folder);
    expect(await runWell("backup", "verify", backupId, "--repository", folder)).toContain("whole");
    const words = ["backup", "download", backupId, "docs/large.txt", "--repository", folder, "-o", "-"];
    expect(await runWell(...words)).toBe(large);
  });

  it("are backed up again without a word of encryption, by reference; then the earlier one is deleted", async () => {
    await doclib.put("docs/new.txt", "new");
    const second = await backUp();
    const described = JSON.parse(await runWell("backup", "describe", second, "-o", "json")) as {
      metadata: { encryption: string; components: { files: { references: string[] } } };
    };
    expect(described.metadata.encryption).toBe("server");
    await runWell("key", "rotate", "--project", "retail", "--repository", repository);
    await runWell("backup", "delete", second, "--yes");
    expect(await runWell("backup", "verify", backupId)).toContain("whole");
    expect(await repositoryBucket.keys(`lc2/backups/retail/${second}/`)).toEqual([]);
  });
});

describe("what somebody else puts into a repository whose store encrypts", () => {
  let server: PostgresServer;
  let database: TestDatabase;
  let files: string;
  let bucket: TestBucket;
  const content = randomBytes(6 << 20).toString("base64");
  const words = () => {
    const sources = ["--database", database.backup.url, "--files", files];
    const place = ["--repository", bucket.url, "--encryption", "server", "--kms-key", "lc2"];
    return ["backup", "create", "--project", "planted", ...sources, ...place];
  };
  const env = () => ({ ...database.backup.environment, ...minio.environment });
  const evidenceOf = async (component: string): Promise<string | undefined> =>
    (await bucket.keys("backups/planted/")).find((key) => key.endsWith(`/${component}.evidence.json`));
  const forge = async (key = ""): Promise<void> =>
    await bucket.put(key, JSON.stringify({ ...(JSON.parse(await bucket.get(key)) as object), forged: true }));

  beforeAll(async () => {
    server = await useServer((await majorsAvailable()).at(-1) ?? 0);
    database = await freshDatabase(server);
    files = join(lc2.folder, "planted");
    await mkdir(files);
    await writeFile(join(files, "large.txt"), content);
    bucket = await minio.freshBucket();
  });
  afterAll(async () => await database?.drop());

  it("is not sealed: evidence that was changed while the backup runs fails it", async () => {
    const backup = lc2.start([...words(), "--max-rate", "500KB"], env());
    await until("the database is stored", async () => (await evidenceOf("database")) !== undefined, 120_000);
    await forge(await evidenceOf("database"));
    const failed = await backup.ended();
    expect(failed).toMatchObject({ code: 6, stderr: expect.stringContaining("evidence-damaged") as string });
    expect(failed.stderr).toContain("who can write to the repository");
    expect((await bucket.keys("backups/")).filter((key) => key.endsWith("metadata.json"))).toEqual([]);
  });

  it("saves the next backup no reading: it is passed over, and that is said", async () => {
    await forge(await evidenceOf("files"));
    const next = await lc2.run([...words(), "-o", "name"], env());
    expect(next.code, next.stderr).toBe(0);
    expect(next.stderr).toContain("is not used to save reading");
    const download = ["backup", "download", next.stdout.trim(), "large.txt", "-o", "-"];
    expect(await lc2.run(download, env())).toMatchObject({ code: 0, stdout: content });
  });
});

it("has what hooks leave encrypted with the key that was accepted, whatever the repository says by then", async () => {
  await using site = await openHooksMachine();
  const bucket = await minio.freshBucket();
  const hooks = join(site.machine.folder, "hooks.json");
  const kept = { command: "export --site=main", storeArtifact: true, artifactPath: site.exported };
  const preBackupHooks = [
    { name: "wait", command: "gate change" },
    { name: "export", ...kept },
  ];
  await writeFile(hooks, JSON.stringify({ preBackupHooks }));
  const words = ["backup", "create", "--files", site.source, "--repository", bucket.url, "--hooks", hooks];
  const backup = site.machine.start(
    [...words, "--encryption", "server", "--kms-key", "lc2"],
    minio.environment,
  );
  await until("the first hook runs", async () => await site.isAtGate("change"), 120_000);
  const description = JSON.parse(await bucket.get("lc2-repository.json")) as object;
  const serverEncryption = { algorithm: "AES256" };
  await bucket.put("lc2-repository.json", JSON.stringify({ ...description, serverEncryption }));
  await site.openGate("change");
  const ended = await backup.ended();
  expect(ended.code, ended.stderr).toBe(0);
  const left = (await bucket.keys("backups/")).filter((key) => key.includes("/hooks/"));
  const names = left.map((key) => key.split("/").slice(-2).join("/"));
  expect(new Set(names)).toEqual(
    new Set(["wait/evidence.json", "export/evidence.json", "export/artifact.tar"]),
  );
  for (const Key of left) {
    const facts = await minio.client().send(new HeadObjectCommand({ Bucket: bucket.name, Key }));
    expect(facts, Key).toMatchObject({ SSEKMSKeyId: "arn:aws:kms:lc2" });
  }
});

describe("a repository whose store is to encrypt", () => {
  let files: string;
  beforeAll(async () => {
    environment ??= { ...minio.environment };
    files = join(lc2.folder, "files");
    await mkdir(files);
    await writeFile(join(files, "a.txt"), "content");
  });
  const create = (repository: string, ...more: string[]) =>
    run("backup", "create", "--project", "shop", "--files", files, "--repository", repository, ...more);

  it("is refused where the store takes the wish and does not say that it fulfilled it", async () => {
    const versitygw = await useS3Server("versitygw");
    const bucket = await versitygw.freshBucket();
    for (const key of [[], ["--kms-key", "lc2"]]) {
      const refused = await create(bucket.urlOf({ prefix: "lc2/" }), "--encryption", "server", ...key);
      expect(refused).toMatchObject({
        code: 3,
        stderr: expect.stringContaining("encryption-unproved") as string,
      });
    }
    expect(await bucket.keys()).toEqual([]);
  });

  it("is refused where the store has no such key", async () => {
    const bucket = await minio.freshBucket();
    const refused = await create(bucket.url, "--encryption", "server", "--kms-key", "not-there");
    expect(refused).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("encryption-unproved") as string,
    });
    expect(await bucket.keys()).toEqual([]);
  });

  it("is refused in a folder", async () => {
    const refused = await create(join(lc2.folder, "folder"), "--encryption", "server");
    expect(refused).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("encryption-unproved") as string,
    });
  });

  it("encrypts with the store's own key where none is named, and that is said", async () => {
    const bucket = await (await useS3Server("moto")).freshBucket();
    const made = await create(bucket.url, "--encryption", "server", "-o", "name");
    expect(made.code, made.stderr).toBe(0);
    expect(await bucket.get("lc2-repository.json")).toContain('"AES256"');
    expect(await runWell("backup", "describe", made.stdout.trim())).toContain("a key of the store's own");
  });

  it("is not another's: the mode of a repository is the one it was made with", async () => {
    const [client, server] = [await minio.freshBucket(), await minio.freshBucket()];
    expect((await create(client.url)).code).toBe(0);
    expect((await create(server.url, "--encryption", "server", "--kms-key", "lc2")).code).toBe(0);
    const differs = { code: 3, stderr: expect.stringContaining("encryption-differs") as string };
    expect(await create(client.url, "--encryption", "server")).toMatchObject(differs);
    expect(await create(server.url, "--encryption", "client")).toMatchObject(differs);
    expect(await create(server.url, "--encryption", "server", "--kms-key", "another")).toMatchObject(differs);
  });

  it("cannot be made one by who changes what it says of itself", async () => {
    const bucket = await minio.freshBucket();
    expect((await create(bucket.url)).code).toBe(0);
    const description = JSON.parse(await bucket.get("lc2-repository.json")) as object;
    const serverEncryption = { algorithm: "AES256" };
    const changed = { ...description, encryption: "server", serverEncryption };
    await bucket.put("lc2-repository.json", JSON.stringify(changed));
    const refused = await create(bucket.url);
    expect(refused).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("encryption-differs") as string,
    });
  });
});
