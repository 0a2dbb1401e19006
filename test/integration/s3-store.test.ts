import { createHash, randomBytes } from "node:crypto";
import {
  ListObjectVersionsCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
} from "@aws-sdk/client-s3";
import { afterEach, describe, expect, it } from "vitest";
import { parseBucketUrl } from "../../src/core/files/bucket-url.ts";
import { Failure } from "../../src/core/failure.ts";
import type { ByteRange, ObjectStore, StoredObject } from "../../src/core/ports/object-store.ts";
import { MultipartWriter } from "../../src/stores/s3/multipart-writer.ts";
import { PartMemory } from "../../src/stores/s3/part-memory.ts";
import { probeBucket } from "../../src/stores/s3/probe-store.ts";
import { openS3, type S3Connection, type S3Options } from "../../src/stores/s3/s3-connection.ts";
import { openS3Store } from "../../src/stores/s3/s3-store.ts";
import { objectStoreContract } from "../contract/object-store.contract.ts";
import {
  useS3Server,
  type FreshBucketOptions,
  type S3Server,
  type S3ServerKind,
} from "../support/s3-servers.ts";
import { until } from "../support/until.ts";

const kinds: readonly S3ServerKind[] = ["versitygw", "minio", "moto"];
const servers = new Map<S3ServerKind, S3Server>();
for (const kind of kinds) servers.set(kind, await useS3Server(kind));

const common = {
  "conditional-create": "yes",
  "conditional-replace": "yes",
  "upload-checksums": "yes",
  "stated-checksums": "yes",
  versioning: "yes",
  "object-lock": "no",
  tags: "yes",
  "multipart-minimum": "yes",
  "unfinished-uploads": "yes",
  "server-copy": "yes",
  "abort-rule": "no",
};
const abilities: Readonly<Partial<Record<S3ServerKind, Readonly<Record<string, string>>>>> = {
  versitygw: { ...common, "server-encryption": "no", "storage-classes": "no" },
  minio: { ...common, "server-encryption": "yes", "storage-classes": "no", "unfinished-uploads": "no" },
  moto: { ...common, "upload-checksums": "no", "server-encryption": "yes", "storage-classes": "yes" },
};

const opened: S3Connection[] = [];
afterEach(() => {
  for (const way of opened.splice(0)) way.close();
});

function server(kind: S3ServerKind): S3Server {
  const found = servers.get(kind);
  if (found === undefined) throw new Error(`${kind} was not started`);
  return found;
}

function connect(url: string, environment: Readonly<Record<string, string>>, options: S3Options = {}) {
  const parsed = parseBucketUrl(url);
  if ("problem" in parsed) throw new Error(parsed.problem);
  const way = openS3(parsed.place, environment, options);
  opened.push(way);
  return way;
}

const mebibyte = 1024 * 1024;
const prefix = "some/päth/";

async function open(kind: S3ServerKind, options: FreshBucketOptions = {}) {
  const bucket = await server(kind).freshBucket(options);
  const way = connect(bucket.urlOf({ prefix }), server(kind).environment);
  return { bucket, way, store: openS3Store(way) };
}

async function write(store: ObjectStore, name: string, pieces: readonly Uint8Array[]) {
  const writer = await store.write(name);
  for (const piece of pieces) await writer.write(piece);
  return await writer.commit();
}

async function hashOf(store: ObjectStore, name: string, range?: ByteRange): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of store.read(name, range)) hash.update(chunk);
  return hash.digest("hex");
}

const sha256 = (...pieces: readonly Uint8Array[]): string => {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
};

async function unfinished(store: ObjectStore): Promise<StoredObject[]> {
  return await Array.fromAsync(store.listUnfinished());
}

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "done",
    (error: unknown) => (error instanceof Failure ? error.code : error),
  );

for (const kind of kinds) {
  objectStoreContract(kind, async () => (await open(kind)).store);

  describe(`a bucket of ${kind}`, () => {
    it("takes an object of many parts, and gives back the whole and every range of it", async () => {
      const { store } = await open(kind);
      const pieces = Array.from({ length: 7 }, () => randomBytes(3 * mebibyte + 11));
      const whole = Buffer.concat(pieces);
      const committed = await write(store, "a1/big", pieces);
      expect(committed).toMatchObject({ name: "a1/big", sizeBytes: whole.length });
      expect(committed.modifiedAtMs).toBeGreaterThan(0);
      expect(await hashOf(store, "a1/big")).toBe(sha256(whole));
      const range = { offset: 8 * mebibyte - 5, length: 8 * mebibyte + 10 };
      expect(await hashOf(store, "a1/big", range)).toBe(
        sha256(whole.subarray(range.offset, range.offset + range.length)),
      );
      expect(await unfinished(store)).toEqual([]);
    });

    it("keeps the buffers of its caller out of what it sends", async () => {
      const { store } = await open(kind);
      const piece = Buffer.alloc(mebibyte);
      const expected = createHash("sha256");
      const writer = await store.write("reused");
      for (let round = 1; round <= 18; round += 1) {
        piece.fill(round);
        expected.update(piece);
        await writer.write(piece);
      }
      await writer.commit();
      expect(await hashOf(store, "reused")).toBe(expected.digest("hex"));
    });

    it("takes an object of more parts than an upload may have", async () => {
      const { store, way } = await open(kind);
      const pieces = Array.from({ length: 15 }, (_, index) => Buffer.alloc(7 * mebibyte + 3, index + 1));
      const writer = new MultipartWriter(way, "a1/huge", new PartMemory(48 * mebibyte), { mostParts: 3 });
      for (const piece of pieces) await writer.write(piece);
      expect((await writer.commit()).sizeBytes).toBe(15 * (7 * mebibyte + 3));
      expect(await hashOf(store, "a1/huge")).toBe(sha256(...pieces));
      const second = new MultipartWriter(way, "a1/other", new PartMemory(48 * mebibyte), { mostParts: 3 });
      for (const piece of pieces) await second.write(piece);
      await second.abort();
      expect(await store.head("a1/other")).toBeUndefined();
    });

    it("has no upload left of an object that was given up, however far it was", async () => {
      const { store, bucket } = await open(kind);
      for (const sizeBytes of [10, 8 * mebibyte, 20 * mebibyte]) {
        const writer = await store.write("given-up");
        await writer.write(Buffer.alloc(sizeBytes));
        await writer.abort();
        await writer.abort();
      }
      expect(await bucket.uploads(`${prefix}given-up`)).toEqual([]);
      expect(await bucket.keys()).toEqual([]);
    });

    it("names what a dead writer left, and clears it away by that name, where the store lists it", async () => {
      const { store, bucket } = await open(kind);
      const writer = await store.write("a1/dead");
      await writer.write(Buffer.alloc(9 * mebibyte));
      await until("the upload is there", async () => (await bucket.uploads(`${prefix}a1/dead`)).length === 1);
      // MinIO lists uploads of a whole key only, so a sweep finds none; it ends them itself after a day.
      const isListed = kind !== "minio";
      const isWhole = async () => (await unfinished(store))[0]?.sizeBytes === 8 * mebibyte;
      await until("the part is there", async () => !isListed || (await isWhole()));
      expect((await bucket.uploads(prefix)).length).toBe(isListed ? 1 : 0);
      const left = (await unfinished(store)).map(({ name }) => name);
      const form = /^a1\/dead\.lc2-upload-[\w-]+$/;
      expect(left.map((name) => form.test(name))).toEqual(isListed ? [true] : []);
      const deleted: boolean[] = [];
      for (const name of left) deleted.push(await store.delete(name), await store.delete(name));
      expect(deleted).toEqual(isListed ? [true, false] : []);
      expect(await unfinished(store)).toEqual([]);
      await writer.abort();
      expect(await bucket.uploads(`${prefix}a1/dead`)).toEqual([]);
    });

    it("deletes every version of an object, and nothing of one whose name begins alike", async () => {
      const { store, bucket } = await open(kind, { versioning: true });
      for (const text of ["one", "two", "three"]) await store.replace("doc", Buffer.from(text));
      await store.replace("doc-2", Buffer.from("another"));
      await bucket.delete(`${prefix}doc`);
      expect(await store.head("doc")).toBeUndefined();
      expect(await store.delete("doc")).toBe(true);
      expect(await store.delete("doc")).toBe(false);
      const client = bucket.server.client();
      const left = await client.send(new ListObjectVersionsCommand({ Bucket: bucket.name }));
      expect([...(left.Versions ?? []), ...(left.DeleteMarkers ?? [])].map(({ Key }) => Key)).toEqual([
        `${prefix}doc-2`,
      ]);
      expect((await store.head("doc-2"))?.sizeBytes).toBe(7);
    });

    it("says until when an object is locked, and that a hold must be lifted", async () => {
      const { store, bucket } = await open(kind, { objectLock: true });
      const Bucket = bucket.name;
      const client = bucket.server.client();
      const retainUntil = new Date(Date.now() + 3_600_000);
      retainUntil.setMilliseconds(0);
      for (const name of ["kept", "held"]) await store.replace(name, Buffer.from(name));
      await client.send(
        new PutObjectRetentionCommand({
          Bucket,
          Key: `${prefix}kept`,
          Retention: { Mode: "GOVERNANCE", RetainUntilDate: retainUntil },
        }),
      );
      await client.send(
        new PutObjectLegalHoldCommand({ Bucket, Key: `${prefix}held`, LegalHold: { Status: "ON" } }),
      );
      await expect(store.delete("kept")).rejects.toMatchObject({
        code: "object-locked",
        message: expect.stringContaining(retainUntil.toISOString()) as unknown,
      });
      await expect(store.delete("held")).rejects.toMatchObject({
        code: "object-locked",
        message: expect.stringContaining("legal hold") as unknown,
      });
      expect((await store.head("kept"))?.sizeBytes).toBe(4);
      const LegalHold = { Status: "OFF" as const };
      await client.send(new PutObjectLegalHoldCommand({ Bucket, Key: `${prefix}held`, LegalHold }));
      expect(await store.delete("held")).toBe(true);
    });

    it("that locks every object says until when, and neither a probe nor a lease minds", async () => {
      const { bucket, way, store } = await open(kind, { objectLock: true });
      await bucket.server.client().send(
        new PutObjectLockConfigurationCommand({
          Bucket: bucket.name,
          ObjectLockConfiguration: {
            ObjectLockEnabled: "Enabled",
            Rule: { DefaultRetention: { Mode: "GOVERNANCE", Days: 2 } },
          },
        }),
      );
      await store.replace("kept", Buffer.from("kept"));
      const stored = await store.head("kept");
      const day = new Date((stored?.modifiedAtMs ?? 0) + 2 * 86_400_000).toISOString().slice(0, 13);
      await expect(store.delete("kept")).rejects.toMatchObject({
        code: "object-locked",
        message: expect.stringContaining(day) as unknown,
      });
      const found = await probeBucket(way, `${prefix}probe/x/`);
      expect(found.find(({ name }) => name === "object-lock")?.sentence).toContain("locked for 2 days");
    });

    it("is made where it is missing, and missed by name until then", async () => {
      const { environment, endpoint } = server(kind);
      const name = `made-${randomBytes(6).toString("hex")}`;
      const notices: string[] = [];
      const url = `s3://${name}/lc2?endpoint=${endpoint}`;
      const openMissing = () =>
        openS3Store(connect(url, environment, { onNotice: (notice) => notices.push(notice) }));
      expect(await codeOf(openMissing().head("x"))).toBe("bucket-not-found");
      expect(await codeOf(openMissing().replace("x", Buffer.from("x")))).toBe("bucket-not-found");
      expect(await codeOf(openMissing().delete("x"))).toBe("bucket-not-found");
      const store = openMissing();
      await store.createPlace?.();
      await store.createPlace?.();
      await openMissing().createPlace?.();
      expect(notices).toEqual([`The bucket ${name} was created.`]);
      expect(await store.head("x")).toBeUndefined();
    });

    it("ends what is under way with its task, and cleans up after it", async () => {
      const { bucket } = await open(kind);
      const stopped = new AbortController();
      const way = connect(bucket.url, server(kind).environment, { signal: stopped.signal });
      const store = openS3Store(way);
      await store.replace("leases/shared-1.json", Buffer.from("{}"));
      const writer = await store.write("big");
      await writer.write(Buffer.alloc(20 * mebibyte));
      stopped.abort(new Failure("cancelled", "The task was cancelled."));
      expect(await codeOf(writer.commit())).toBe("cancelled");
      await writer.abort();
      expect(await store.delete("leases/shared-1.json")).toBe(true);
      expect(await bucket.uploads("big")).toEqual([]);
      expect(await bucket.keys()).toEqual([]);
    });

    it("passes over the marker of its own folder, and refuses what is nobody's of ours", async () => {
      const { store, bucket } = await open(kind);
      await bucket.put(prefix, "");
      expect(await Array.fromAsync(store.list(""))).toEqual([]);
      await bucket.put(`${prefix}holiday photo.jpg`, "x");
      expect(await codeOf(Array.fromAsync(store.list("")))).toBe("data-damaged");
    });

    it("is probed, and as it was afterwards", async () => {
      const { store, bucket } = await open(kind, { versioning: true });
      const found = await store.probe?.("probe/x/");
      expect(Object.fromEntries((found ?? []).map(({ name, answer }) => [name, answer]))).toEqual(
        abilities[kind],
      );
      const left = await bucket.server.client().send(new ListObjectVersionsCommand({ Bucket: bucket.name }));
      expect([...(left.Versions ?? []), ...(left.DeleteMarkers ?? [])]).toEqual([]);
      expect(await unfinished(store)).toEqual([]);
    });
  });
}
