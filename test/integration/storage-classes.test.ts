/** Storage classes of a repository's objects: asked for, recorded, and refused where they cannot be read. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { CopyObjectCommand, HeadObjectCommand, RestoreObjectCommand } from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openS3Store } from "../../src/stores/s3/s3-store.ts";
import { checkRepository } from "../../src/worker/repository/check-repository.ts";
import { failureOf } from "../support/backup-run.ts";
import {
  backUpFolder,
  backupIdOf,
  openFilesPlace,
  planTo,
  restoreTo,
  settleTimes,
  snapshot,
  type FilesPlace,
} from "../support/files-run.ts";
import { connectTo } from "../support/s3-store-over-proxy.ts";
import { useS3Server, type TestBucket } from "../support/s3-servers.ts";

const moto = await useS3Server("moto");

describe("a repository with a storage class of its own", () => {
  let place: FilesPlace;
  let source: string;
  let bucket: TestBucket;
  const notices: string[] = [];

  async function open(kind: "moto" | "versitygw"): Promise<void> {
    const server = kind === "moto" ? moto : await useS3Server(kind);
    bucket = await server.freshBucket();
    const url = bucket.urlOf({ storageClass: "STANDARD_IA" });
    notices.length = 0;
    const onNotice = (message: string): void => void notices.push(message);
    place = openFilesPlace(openS3Store(connectTo(url, server.environment, { onNotice })));
    source = join(place.folder, "source");
    mkdirSync(source);
    for (let index = 0; index < 3; index += 1)
      writeFileSync(join(source, `large ${index}`), randomBytes(1_100_000));
    for (let index = 0; index < 200; index += 1)
      writeFileSync(join(source, `small ${index}`), randomBytes(1_500));
    settleTimes(source);
  }
  beforeEach(() => open("moto"));
  afterEach(() => place.close());

  const keyOf = (name: string): string => `backups/retail/${backupIdOf(1)}/${name}`;
  const classOf = async (key: string) => {
    const head = await bucket.server.client().send(new HeadObjectCommand({ Bucket: bucket.name, Key: key }));
    return head.StorageClass ?? "STANDARD";
  };
  const check = () => {
    const { context } = place.run;
    const task = { kind: "check-repository", context, lease: { seconds: 30 }, readData: false } as const;
    return checkRepository({ ...task, onlyProject: false }, place.run);
  };

  it("keeps its larger objects in it, and each backup says how many bytes", async () => {
    const metadata = await backUpFolder(place, source, { number: 1 });
    const { stored } = metadata.components.files ?? {};
    expect(stored?.storageClasses).toEqual({ STANDARD_IA: stored?.sizeBytes });
    expect(await classOf(keyOf("a1/files/pack-000001"))).toBe("STANDARD_IA");
    expect(await classOf(keyOf("a1/files/file-000001"))).toBe("STANDARD_IA");
    expect(await classOf(keyOf("metadata.json"))).toBe("STANDARD");
    expect(notices).toEqual([]);
  });

  it("says where the store takes the class and does not keep it", async () => {
    await open("versitygw");
    const metadata = await backUpFolder(place, source, { number: 1 });
    expect(metadata.components.files?.stored).not.toHaveProperty("storageClasses");
    expect(notices).toEqual([expect.stringContaining("STANDARD_IA was asked for")]);
  });

  it.each(["a1/files/pack-000001", "a1/files/file-000002", "a1/files/manifest"])(
    "is refused, with the step that brings it back, where %s was archived; then it is restored",
    async (name) => {
      await backUpFolder(place, source, { number: 1 });
      const client = bucket.server.client();
      const object = { Bucket: bucket.name, Key: keyOf(name) };
      const archived = { StorageClass: "GLACIER", MetadataDirective: "COPY" } as const;
      await client.send(
        new CopyObjectCommand({ ...object, CopySource: `${bucket.name}/${object.Key}`, ...archived }),
      );
      const target = join(place.folder, "target");
      const cold = {
        code: "object-cold",
        message: expect.stringContaining(
          `restore-object --bucket ${bucket.name} --key '${object.Key}'`,
        ) as string,
      };
      expect(await failureOf(planTo(place, target, backupIdOf(1)))).toMatchObject(cold);
      expect((await check()).damages).toEqual([expect.objectContaining(cold)]);
      await client.send(new RestoreObjectCommand({ ...object, RestoreRequest: { Days: 7 } }));
      await restoreTo(place, target, backupIdOf(1));
      expect(snapshot(target)).toEqual(snapshot(source));
      expect((await check()).damages).toEqual([]);
    },
  );
});
