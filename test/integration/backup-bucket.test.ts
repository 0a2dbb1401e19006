/** A bucket as the source of a backup, on three servers. */
import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FilesSourceSpec } from "../../src/core/backup/backup.ts";
import type { FileSource, SourceContent } from "../../src/core/ports/file-source.ts";
import { decodeKey, encodeKey, type FileKey } from "../../src/core/repository/manifest.ts";
import type { BackupMetadata } from "../../src/core/repository/metadata.ts";
import { openS3Store } from "../../src/stores/s3/s3-store.ts";
import { openFileSource } from "../../src/worker/open-files.ts";
import { failureOf } from "../support/backup-run.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import * as faults from "../support/s3-faults.ts";
import { compileFilter, wholeSource } from "../../src/core/files/filter.ts";
import { dyingStore, Life } from "../support/dying.ts";
import {
  backupIdOf,
  backUpFolder,
  entriesOf,
  openFilesPlace,
  storeFiles,
  type FilesPlace,
} from "../support/files-run.ts";
import { connectTo } from "../support/s3-store-over-proxy.ts";
import { useS3Server, type S3Server, type TestBucket } from "../support/s3-servers.ts";
import { settle } from "../support/settle.ts";

const versitygw = await useS3Server("versitygw");
const minio = await useS3Server("minio");
const moto = await useS3Server("moto");

let place: FilesPlace;
beforeEach(() => {
  place = openFilesPlace();
});
afterEach(() => place.close());

const sha256 = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex");

interface Given {
  readonly number: number;
  readonly spec?: Partial<FilesSourceSpec>;
  readonly url?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Called before an object is opened. */
  readonly onOpen?: (key: FileKey) => Promise<void>;
  /** Takes an opened object's place. */
  readonly wrap?: (key: FileKey, content: SourceContent) => SourceContent;
}

/** Backs the bucket up as a worker does, and says which objects were opened. */
async function backUp(
  bucket: TestBucket,
  given: Given,
): Promise<{ metadata: BackupMetadata; opened: FileKey[] }> {
  const run = { ...place.run, env: given.environment ?? bucket.server.environment };
  const inner = await openFileSource(given.url ?? bucket.url, run, given.spec);
  const opened: FileKey[] = [];
  const source: FileSource = {
    ...inner,
    open: async (key, sizeBytes) => {
      // Every source is asked whether it holds the repository.
      if (key !== "lc2-repository.json") opened.push(key);
      await given.onOpen?.(key);
      const content = await inner.open(key, sizeBytes);
      return given.wrap?.(key, content) ?? content;
    },
  };
  const { number, spec } = given;
  try {
    const metadata = await backUpFolder(place, "/unused", {
      number,
      source,
      ...(spec === undefined ? {} : { spec }),
    });
    return { metadata, opened };
  } finally {
    inner.close?.();
  }
}

const keysOf = async (metadata: BackupMetadata): Promise<FileKey[]> =>
  (await entriesOf(place, metadata)).map(({ key }) => key);

describe.each([
  ["versitygw", versitygw],
  ["minio", minio],
  ["moto", moto],
])("a bucket on %s", (name, server: S3Server) => {
  let bucket: TestBucket;
  beforeEach(async () => {
    bucket = await server.freshBucket();
  });

  test("is backed up with all that it keeps of each object, and read a second time only where it changed", async () => {
    const large = randomBytes(11_000_001);
    for (let i = 0; i < 40; i += 1) await bucket.put(`docs/${i}.txt`, `content of ${i}`);
    await bucket.put("marker/", "", { Metadata: { kind: "marker" } });
    await bucket.put("empty", "", { ContentType: "text/x-empty" });
    await bucket.put("large", large, { ContentType: "application/x-large" });
    await bucket.put("page.html", "<html>", {
      ContentType: "text/html; charset=utf-8",
      ContentLanguage: "de",
      ContentDisposition: 'attachment; filename="a b.html"',
      CacheControl: "max-age=60",
      Metadata: { author: "Ada", "long-name": "x".repeat(500) },
      Tagging: "class=public&owner=web%20team",
    });
    await settle();
    const first = await backUp(bucket, { number: 1 });
    expect(first.metadata.components.files).toMatchObject({ objects: 43, directories: 1, newObjects: 43 });
    const entries = new Map((await entriesOf(place, first.metadata)).map((entry) => [entry.key, entry]));
    expect(entries.get("page.html")).toMatchObject({
      kind: "file",
      sizeBytes: 6,
      mode: 0o644,
      sha256: sha256("<html>"),
      object: {
        contentType: "text/html; charset=utf-8",
        contentLanguage: "de",
        contentDisposition: 'attachment; filename="a b.html"',
        cacheControl: "max-age=60",
        metadata: { author: "Ada", "long-name": "x".repeat(500) },
        tags: { class: "public", owner: "web team" },
      },
    });
    expect(entries.get("marker/")).toMatchObject({
      kind: "directory",
      mode: 0o755,
      object: { metadata: { kind: "marker" } },
    });
    expect(entries.get("empty")).toMatchObject({
      kind: "file",
      sizeBytes: 0,
      object: { contentType: "text/x-empty" },
    });
    expect(entries.get("large")).toMatchObject({ sizeBytes: large.length, sha256: sha256(large) });

    await bucket.put("docs/7.txt", "other content");
    await bucket.put("docs/new.txt", "new");
    const second = await backUp(bucket, { number: 2 });
    expect(second.opened).toEqual(["docs/7.txt", "docs/new.txt"]);
    expect(second.metadata.components.files).toMatchObject({ newObjects: 2, unchangedObjects: 42 });
    const again = new Map((await entriesOf(place, second.metadata)).map((entry) => [entry.key, entry]));
    expect(again.get("docs/7.txt")?.sha256).toBe(sha256("other content"));
    expect(again.get("marker/")).toEqual(entries.get("marker/"));
    expect(again.get("page.html")).toMatchObject({ object: entries.get("page.html")?.object ?? {} });

    const rehashed = await backUp(bucket, { number: 3, spec: { rehash: true } });
    expect(rehashed.opened.length).toBe(45);
    expect(place.logs).toEqual([]);
  });

  test("keeps an object that vanished for one more backup", async () => {
    for (const key of ["a", "b", "c"]) await bucket.put(key, `content of ${key}`);
    await backUp(bucket, { number: 1 });
    await bucket.delete("b");
    const second = await backUp(bucket, { number: 2 });
    expect((await entriesOf(place, second.metadata)).find(({ key }) => key === "b")).toMatchObject({
      vanished: true,
    });
    const third = await backUp(bucket, { number: 3 });
    expect(await keysOf(third.metadata)).toEqual(["a", "c"]);
  });

  test("gives one version of an object that is replaced between its ranges", async () => {
    const [before, after] = [randomBytes(13_000_000), randomBytes(9_000_000)];
    await bucket.put("large", before);
    let isReplaced = false;
    const { metadata } = await backUp(bucket, {
      number: 1,
      wrap: (key, content) => ({
        facts: content.facts,
        factsNow: () => content.factsNow(),
        close: () => content.close(),
        read: async (into) => {
          if (!isReplaced) await bucket.put("large", after);
          isReplaced = true;
          return content.read(into);
        },
      }),
    });
    const [entry] = await entriesOf(place, metadata);
    expect([sha256(before), sha256(after)]).toContain(entry?.sha256);
    expect(entry?.sizeBytes).toBe(entry?.sha256 === sha256(after) ? after.length : before.length);
    expect(metadata.components.files?.skipped).toBeUndefined();
  });

  test("holds every key that the server can hold", async () => {
    const keys = [
      "a+b c%20.txt",
      "q?&=#;:@$,",
      "*~'()!",
      "back\\slash",
      "new\nline",
      "tab\tx",
      "ünï/é",
      "u\u0308n/e\u0301",
      "\u{10FFFF}",
      "\uFFFD",
      "&amp;<b>",
      "./x",
      "../x",
      "a//b",
      "/lead",
      "dir/",
      `${"k".repeat(200)}/`.repeat(5) + "z".repeat(19),
      "docs",
      "docs/below",
      "full/",
    ];
    for (const key of keys)
      await bucket.put(key, key === "dir/" ? "" : `content of ${key}`).catch(() => undefined);
    // Some servers refuse a key, others make another one of it.
    const held = await bucket.keys();
    const { metadata } = await backUp(bucket, { number: 1 });
    const entries = await entriesOf(place, metadata);
    expect(entries.map(({ key }) => key)).toEqual(held.map(encodeKey).sort((a, b) => (a < b ? -1 : 1)));
    for (const entry of entries.filter(({ kind }) => kind === "file"))
      expect(entry.sha256).toBe(sha256(await bucket.get(decodeKey(entry.key) ?? "")));
    // moto holds all but line ends.
    expect(keys.filter((key) => held.includes(key)).length).toBeGreaterThanOrEqual(
      name === "moto" ? keys.length - 1 : 10,
    );
  });

  test("is known under another spelling of its URL, and a repository in it is left out", async () => {
    for (const key of ["site/a", "site/b"]) await bucket.put(key, `content of ${key}`);
    await settle();
    const repository = openS3Store(connectTo(bucket.urlOf({ prefix: "site/lc2/" }), server.environment));
    const inside: FilesPlace = {
      ...place,
      run: { ...place.run, store: repository, context: { ...place.run.context, repository: repository.url } },
    };
    const run = { ...inside.run, env: server.environment };
    const backUpAs = async (number: number, url: string): Promise<BackupMetadata> => {
      const source = await openFileSource(url, run);
      const metadata = await backUpFolder(inside, "/unused", { number, source, run });
      source.close?.();
      return metadata;
    };
    const first = await backUpAs(1, bucket.urlOf({ prefix: "site/" }));
    expect((await entriesOf(inside, first)).map(({ key }) => key)).toEqual(["a", "b"]);
    expect(place.logs).toEqual([
      expect.stringContaining("The repository itself lies in the source, in /lc2"),
    ]);
    const second = await backUpAs(2, bucket.urlOf({ prefix: "site/", minimumTls: "1.3" }));
    expect(second.components.files).toMatchObject({
      newObjects: 0,
      unchangedObjects: 2,
      references: [backupIdOf(1)],
    });
  });

  test("leaves out what the filters leave out, and refuses to be empty", async () => {
    for (const key of ["docs/a", "cache/b", "docs/cache/c", "x.tmp"]) await bucket.put(key, "content");
    const spec = { excludePatterns: ["cache/", "*.tmp"] };
    const { metadata } = await backUp(bucket, { number: 1, spec });
    expect(await keysOf(metadata)).toEqual(["docs/a"]);
    expect(metadata.components.files).toMatchObject({ excludedObjects: 3 });
    const nothing = backUp(bucket, { number: 2, url: bucket.urlOf({ prefix: "nothing/" }) });
    expect((await failureOf(nothing)).code).toBe("source-empty");
    await bucket.delete("docs/a");
    await bucket.put("docs/b", "");
    expect((await failureOf(backUp(bucket, { number: 3, spec }))).code).toBe("source-shrank");
  });

  test("that goes on changing is said to have moved on", async () => {
    for (const key of ["a", "b", "c"]) await bucket.put(key, `content of ${key}`);
    await backUp(bucket, {
      number: 1,
      spec: { verifySource: true },
      onOpen: async (key) => {
        if (key === "c") await bucket.put("d", "came later");
      },
    });
    expect(place.logs).toEqual([expect.stringContaining("1 objects came, 0 changed and 0 went")]);
  });
});

test.each([
  ["versitygw", versitygw],
  ["minio", minio],
  ["moto", moto],
])("a store that lists slowly is asked for several parts of its list at once (%s)", async (_, server) => {
  const bucket = await server.freshBucket();
  const keys = Array.from({ length: 1150 }, (_unused, i) => `site/${String(i >> 2).padStart(4, "0")}/${i}`);
  await Promise.all(
    Array.from({ length: 8 }, async (_unused, lane) => {
      for (let i = lane; i < keys.length; i += 8) await bucket.put(keys[i] ?? "", "x");
    }),
  );
  await using proxy = await startFaultProxy(server.endpoint);
  proxy.add({ operation: "ListObjects", fault: faults.delay(100) });
  const run = { ...place.run, env: server.environment };
  const source = await openFileSource(bucket.urlOf({ endpoint: proxy.endpoint, prefix: "site/" }), run);
  const filter = compileFilter(wholeSource);
  const found: string[] = [];
  for await (const batch of source.list({ filter })) found.push(...batch.map(({ key }) => `site/${key}`));
  source.close?.();
  expect(found).toEqual(keys.sort());
  // Two pages are the least.
  expect(proxy.countOf("ListObjects")).toBeGreaterThan(3);
});

test("of a bucket with versions the current ones are backed up, and an object is read in one", async () => {
  for (const server of [versitygw, minio, moto]) {
    const bucket = await server.freshBucket({ versioning: true });
    const [before, after] = [randomBytes(13_000_000), randomBytes(9_000_000)];
    await bucket.put("large", before);
    for (const key of ["deleted", "replaced"]) await bucket.put(key, "first");
    await bucket.put("replaced", "second");
    await bucket.delete("deleted");
    let isReplaced = false;
    const { metadata } = await backUp(bucket, {
      number: 1,
      spec: { rehash: true },
      wrap: (key, content) => ({
        facts: content.facts,
        factsNow: () => content.factsNow(),
        close: () => content.close(),
        read: async (into) => {
          if (key === "large" && !isReplaced) await bucket.put("large", after);
          isReplaced ||= key === "large";
          return content.read(into);
        },
      }),
    });
    const found = (await entriesOf(place, metadata)).map((entry) => [entry.key, entry.sha256]);
    expect(found).toEqual([
      ["large", sha256(before)],
      ["replaced", sha256("second")],
    ]);
    place.close();
    place = openFilesPlace();
  }
});

test("an object in an archive tier is refused by name with the way to bring it back, or left out where that is allowed", async () => {
  const bucket = await moto.freshBucket();
  await bucket.put("warm", "warm");
  await bucket.put("cold", "cold", { StorageClass: "DEEP_ARCHIVE" });
  const failure = await failureOf(backUp(bucket, { number: 1 }));
  expect(failure.code).toBe("files-unreadable");
  expect(failure.message).toMatch(/cold \(.*aws s3api restore-object --bucket .* --key 'cold'/);
  const { metadata } = await backUp(bucket, { number: 2, spec: { allowUnreadable: true } });
  expect(await keysOf(metadata)).toEqual(["warm"]);
  expect(metadata.components.files?.skipped?.objects).toBe(1);
});

test("what the user may not read is named, and what may not be listed too", async () => {
  const bucket = await versitygw.freshBucket();
  for (const key of ["docs/a", "secret/b"]) await bucket.put(key, "content");
  await bucket.allowGuest([
    { actions: ["s3:ListBucket"], resources: [""] },
    { actions: ["s3:GetObject"], resources: ["docs/*"] },
  ]);
  const environment = versitygw.guestEnvironment;
  const unreadable = await failureOf(backUp(bucket, { number: 1, environment }));
  expect(unreadable.code).toBe("files-unreadable");
  expect(unreadable.message).toContain("secret/b (");
  const { metadata } = await backUp(bucket, { number: 2, environment, spec: { excludePaths: ["secret"] } });
  expect(await keysOf(metadata)).toEqual(["docs/a"]);

  await bucket.allowGuest([{ actions: ["s3:GetObject"], resources: ["*"] }]);
  const url = bucket.urlOf({ prefix: "docs/" });
  const unlisted = await failureOf(backUp(bucket, { number: 3, environment, url }));
  expect(unlisted.code).toBe("store-access-denied");
  expect(unlisted.message).toMatch(/begins with docs\/ .*"s3:prefix":"docs\/\*"/);
});

test("a backup killed between any two calls of the repository is not visible, and the next one reads little again", async () => {
  const bucket = await versitygw.freshBucket();
  const count = 90;
  const content = randomBytes(950_000);
  for (let i = 0; i < count; i += 1)
    await bucket.put(`d/${String(i).padStart(3, "0")}`, Buffer.concat([content, Buffer.from(`${i}`)]));
  await settle();
  let number = 0;
  let calls = 6;
  let openedInAll = 0;
  let isDone = false;
  while (!isDone) {
    number += 1;
    calls += 12;
    const life = new Life(calls);
    const inner = await openFileSource(bucket.url, { ...place.run, env: versitygw.environment });
    const source: FileSource = {
      ...inner,
      open: (key, sizeBytes) => {
        openedInAll += 1;
        return inner.open(key, sizeBytes);
      },
    };
    try {
      const run = { ...place.run, store: dyingStore(place.run.store, life) };
      await storeFiles(place, "/unused", { number, source, run });
      isDone = true;
    } catch (error) {
      if (!life.isOver) throw error;
    } finally {
      inner.close?.();
    }
  }
  expect(number).toBeGreaterThan(2);
  const { metadata } = await backUp(bucket, { number: number + 1 });
  expect(metadata.components.files).toMatchObject({ objects: count });
  for (const entry of await entriesOf(place, metadata))
    expect(entry.sha256).toBe(sha256(Buffer.concat([content, Buffer.from(`${Number(entry.key.slice(2))}`)])));
  // Lost each time: at most the pack in flight, and what was read ahead of it.
  expect(openedInAll).toBeLessThan(count + number * (2 * 36 + 8));
});
