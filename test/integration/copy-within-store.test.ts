/** Copies that a store makes by itself, as a repository in server mode has them made. */
import { createHash, randomBytes } from "node:crypto";
import { GetObjectTaggingCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SourceError } from "../../src/core/ports/file-source.ts";
import type { ServerEncryption } from "../../src/core/repository/encryption.ts";
import { encodeKey } from "../../src/core/repository/manifest.ts";
import { openBucketSource } from "../../src/stores/s3/bucket-source.ts";
import { copyWithinStore } from "../../src/stores/s3/copy-within-store.ts";
import { openS3Store } from "../../src/stores/s3/s3-store.ts";
import { verifyStored } from "../../src/worker/read/verify-stored.ts";
import { accessDenied } from "../support/s3-faults.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import {
  backUpFolder,
  backupIdOf,
  entriesOf,
  openFilesPlace,
  restoreTo,
  storeFiles,
  type FilesPlace,
} from "../support/files-run.ts";
import { failureOf } from "../support/backup-run.ts";
import { connectTo } from "../support/s3-store-over-proxy.ts";
import { settle } from "../support/settle.ts";
import { useS3Server, type S3Server, type TestBucket } from "../support/s3-servers.ts";

const minio = await useS3Server("minio");
const moto = await useS3Server("moto");
const withKey: ServerEncryption = { algorithm: "aws:kms", keyId: "lc2" };
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe.each([
  ["minio", minio],
  ["moto", moto],
])("a copy by %s itself", (_name, server: S3Server) => {
  const bytes = randomBytes(11_000_000);
  let [from, to]: TestBucket[] = [];
  const bucketOf = (bucket: TestBucket | undefined): TestBucket => bucket as TestBucket;
  beforeEach(async () => {
    [from, to] = [await server.freshBucket(), await server.freshBucket()];
    await bucketOf(from).put("a/b c+é.bin", bytes, {
      ContentType: "application/x-large",
      Metadata: { author: "ada" },
      Tagging: "class=public",
    });
  });
  const connect = (bucket: TestBucket | undefined) => connectTo(bucketOf(bucket).url, server.environment);
  const locate = async () => await openBucketSource(connect(from), 4).locate?.(encodeKey("a/b c+é.bin"));

  it.each([
    ["in one request, hashed by the store", undefined],
    ["in parts, with metadata and tags all the same", 5 << 20],
  ])("is made %s", async (_how, inOneRequest) => {
    const located = await locate();
    if (located === undefined) throw new Error("it was not located");
    const parts: number[] = [];
    const onCopied = (sizeBytes: number): void => void parts.push(sizeBytes);
    const wishes = { encryption: withKey, onCopied };
    const copied = await copyWithinStore(connect(to), located.origin, "copy", wishes, inOneRequest);
    expect(parts).toHaveLength(inOneRequest === undefined ? 0 : 3);
    expect(copied).toMatchObject({ sizeBytes: bytes.length, encryption: { algorithm: "aws:kms" } });
    expect(copied.sha256).toBe(inOneRequest === undefined ? sha256(bytes) : undefined);
    expect(sha256(await bucketOf(to).getBytes("copy"))).toBe(sha256(bytes));
    const object = { Bucket: bucketOf(to).name, Key: "copy" };
    const head = await server.client().send(new HeadObjectCommand(object));
    expect(head).toMatchObject({ ContentType: "application/x-large", Metadata: { author: "ada" } });
    const { TagSet } = await server.client().send(new GetObjectTaggingCommand(object));
    expect(TagSet).toEqual([{ Key: "class", Value: "public" }]);
  });

  it("is not made of another state of the object than was looked at", async () => {
    const located = await locate();
    if (located === undefined) throw new Error("it was not located");
    await bucketOf(from).put("a/b c+é.bin", "something else");
    const store = openS3Store(connect(to));
    const error = await store.copyIn?.(located.origin, "copy").catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(SourceError);
    expect(error).toMatchObject({ reason: "changed" });
  });
});

describe("a backup of a bucket into a repository of the same store, which encrypts", () => {
  const encryption = { encryption: "server", kmsKey: "lc2" } as const;
  let place: FilesPlace;
  let from: TestBucket;
  let to: TestBucket;
  beforeEach(async () => {
    [from, to] = [await minio.freshBucket(), await minio.freshBucket()];
    place = openFilesPlace(openS3Store(connectTo(to.url, minio.environment)));
    for (let index = 0; index < 6; index += 1)
      await from.put(`large ${index}`, Buffer.alloc((1 << 20) + index, `${index} large `));
    for (let index = 0; index < 30; index += 1) await from.put(`small ${index}`, `small ${index}`);
  });
  afterEach(() => place.close());
  const sourceAt = (endpoint = minio.endpoint) =>
    openBucketSource(connectTo(from.urlOf({ endpoint }), minio.environment), 4);
  const backUp = (number: number, source = sourceAt()) =>
    backUpFolder(place, "/unused", { number, source, encryption });
  const verify = (number: number) =>
    verifyStored(place.run, backupIdOf(number), { onBytes: () => undefined });

  it("has large objects copied by the store, says how each is proved, and is restored from there", async () => {
    const metadata = await backUp(1);
    expect(metadata.components.files).toMatchObject({
      objects: 36,
      copied: { files: 6, hashedByStore: 6 },
      stored: { files: 7 },
    });
    const entries = await entriesOf({ ...place }, metadata);
    expect(entries.filter(({ proof }) => proof === "store").map(({ key }) => key)).toEqual(
      [0, 1, 2, 3, 4, 5].map((index) => `large ${index}`),
    );
    expect(await verify(1)).toMatchObject({ damages: [], objects: 36 });
    const target = await minio.freshBucket();
    const run = { ...place.run, env: minio.environment };
    await restoreTo(place, target.url, backupIdOf(1), { run });
    for (const key of await from.keys()) expect(await target.get(key), key).toBe(await from.get(key));
    await from.put("large 3", Buffer.alloc(1 << 21, "changed "));
    await settle();
    await backUp(2);
    await from.put("large 4", Buffer.alloc(1 << 21, "changed "));
    const second = await backUp(3);
    expect(second.components.files).toMatchObject({ copied: { files: 1 }, newObjects: 1 });
    expect(await verify(3)).toMatchObject({ damages: [], objects: 36 });
  });

  it("passes them through this machine where the two are not known to be of one store, and says so", async () => {
    const proxy = await startFaultProxy(minio.endpoint);
    const metadata = await backUp(1, sourceAt(proxy.endpoint));
    await proxy.close();
    expect(metadata.components.files).not.toHaveProperty("copied");
    expect(place.logs.join("\n")).toContain("every object passes through this machine");
    expect(await verify(1)).toMatchObject({ damages: [], objects: 36 });
  });

  it("passes them through this machine where the store refuses to copy", async () => {
    const proxy = await startFaultProxy(minio.endpoint);
    proxy.add({ operation: "CopyObject", fault: accessDenied() });
    const store = openS3Store(connectTo(to.urlOf({ endpoint: proxy.endpoint }), minio.environment));
    const run = { ...place.run, store };
    const options = { number: 1, source: sourceAt(proxy.endpoint), encryption, run };
    const metadata = await backUpFolder(place, "/unused", options);
    await proxy.close();
    expect(metadata.components.files).not.toHaveProperty("copied");
    expect(place.logs.join("\n")).toContain("does not copy objects by itself");
    expect(await verify(1)).toMatchObject({ damages: [], objects: 36 });
  });

  it("does not end well where the store copies and does not say that it encrypted", async () => {
    const proxy = await startFaultProxy(minio.endpoint);
    const store = openS3Store(connectTo(to.urlOf({ endpoint: proxy.endpoint }), minio.environment));
    const run = { ...place.run, store };
    const source = sourceAt(proxy.endpoint);
    const inner = store.copyIn?.bind(store);
    store.copyIn = async (origin, name) => {
      const { encryption: _unsaid, ...copied } = (await inner?.(origin, name)) ?? {
        name,
        sizeBytes: 0,
        modifiedAtMs: 0,
      };
      return copied;
    };
    expect(
      await failureOf(storeFiles(place, "/unused", { number: 1, source, encryption, run })),
    ).toMatchObject({ code: "encryption-unproved" });
    await proxy.close();
  });
});
