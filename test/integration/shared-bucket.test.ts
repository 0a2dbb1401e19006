/** A repository in a bucket that others use, too. */
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
} from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openS3Store } from "../../src/stores/s3/s3-store.ts";
import { ensureRepository } from "../../src/worker/repository/repository.ts";
import { sweepRepository } from "../../src/worker/repository/sweep-repository.ts";
import { openBucketSource } from "../../src/stores/s3/bucket-source.ts";
import { backUpFolder, backupIdOf, openFilesPlace, planTo, type FilesPlace } from "../support/files-run.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { forgetCondition } from "../support/s3-faults.ts";
import { useS3Server } from "../support/s3-servers.ts";
import { connectTo } from "../support/s3-store-over-proxy.ts";

const server = await useS3Server("versitygw");

describe("a sweep of a repository that is a whole bucket", () => {
  let place: FilesPlace;
  beforeEach(() => {
    place = openFilesPlace();
  });
  afterEach(() => place.close());

  it("ends its own unfinished uploads, and none of anybody else's", async () => {
    const bucket = await server.freshBucket();
    const way = connectTo(bucket.url, server.environment);
    const store = openS3Store(way);
    const run = { ...place.run, store, context: { ...place.run.context, repository: store.url } };
    await ensureRepository(run);
    const client = server.client();
    const own = `backups/retail/${backupIdOf(1)}/a1/files/pack-000001`;
    const foreign = ["backups/phone/video of today.mov", "videos/holiday & more.mp4"];
    for (const Key of [own, ...foreign])
      await client.send(new CreateMultipartUploadCommand({ Bucket: bucket.name, Key }));
    const { context } = run;
    const task = { kind: "sweep-repository", context, lease: { seconds: 30 }, dryRun: false } as const;
    const swept = await sweepRepository({ ...task, minimumAgeSeconds: 0 }, run);
    expect(swept.removed).toEqual([expect.stringContaining(own)]);
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket.name }));
    expect(Uploads.map(({ Key }) => Key)).toEqual(foreign);
    for (const { Key, UploadId } of Uploads)
      await client.send(new AbortMultipartUploadCommand({ Bucket: bucket.name, Key, UploadId }));
    way.close();
  });
});

describe("a mirroring restore into a bucket", () => {
  let place: FilesPlace;
  beforeEach(() => {
    place = openFilesPlace();
  });
  afterEach(() => place.close());

  it("is refused where it would remove a repository that nobody told it of", async () => {
    const source = await server.freshBucket();
    await source.put("a.txt", "a");
    const files = openBucketSource(connectTo(source.url, server.environment), 4);
    const { backupId } = await backUpFolder(place, "/unused", { number: 1, source: files });
    const target = await server.freshBucket();
    await target.put("old.txt", "old");
    const way = connectTo(target.urlOf({ prefix: "backups of others/" }), server.environment);
    await ensureRepository({ ...place.run, store: openS3Store(way) });
    way.close();
    const run = { ...place.run, env: server.environment };
    await expect(planTo(place, target.url, backupId, { run, mode: "mirror" })).rejects.toMatchObject({
      code: "request-invalid",
      message: expect.stringContaining("backups of others/lc2-repository.json") as string,
    });
    expect((await planTo(place, target.url, backupId, { run })).plan.remove).toBe(0);
  });

  it("whose tags may not be read says that those of replaced objects would be lost", async () => {
    const source = await server.freshBucket();
    await source.put("a.txt", "a");
    const files = openBucketSource(connectTo(source.url, server.environment), 4);
    const { backupId } = await backUpFolder(place, "/unused", { number: 1, source: files });
    const target = await server.freshBucket();
    await target.put("a.txt", "another", { Tagging: "keep=me" });
    await target.allowGuest([
      { actions: ["s3:ListBucket"], resources: [""] },
      { actions: ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], resources: ["*"] },
    ]);
    const warningsOf = async (env: Readonly<Record<string, string>>) =>
      (await planTo(place, target.url, backupId, { run: { ...place.run, env } })).warnings.join("\n");
    expect(await warningsOf(server.guestEnvironment)).toContain("Allow s3:GetObjectTagging");
    const asOwner = await warningsOf(server.environment);
    expect(asOwner).not.toContain("GetObjectTagging");
    expect(asOwner).toContain("access list (ACL)");
  });
});

describe("a repository in a store that ignores conditions in silence", () => {
  let place: FilesPlace;
  beforeEach(() => {
    place = openFilesPlace();
  });
  afterEach(() => place.close());

  it("is made all the same, says so, and lets only the last of two writers think that it was first", async () => {
    const careless = await useS3Server("moto");
    const bucket = await careless.freshBucket();
    const proxy = await startFaultProxy(careless.endpoint);
    proxy.add({ operation: "PutObject", fault: forgetCondition() });
    const notices: string[] = [];
    const connect = (url: string) =>
      connectTo(url, careless.environment, { onNotice: (message) => notices.push(message) });
    const store = openS3Store(connect(bucket.urlOf({ endpoint: proxy.endpoint })));
    const run = { ...place.run, store, context: { ...place.run.context, repository: store.url } };
    expect(await ensureRepository(run)).toMatchObject({ created: true });
    expect(notices).toEqual([expect.stringContaining("leases alone")]);
    expect(await bucket.keys()).toEqual(["lc2-repository.json"]);

    // A process that comes later was told nothing.
    const later = openS3Store(connect(bucket.urlOf({ endpoint: proxy.endpoint })));
    expect(await later.createIfAbsent("a", Buffer.from("first"))).toBe(true);
    expect(await later.createIfAbsent("a", Buffer.from("second"))).toBe(false);
    proxy.add({
      operation: "PutObject",
      key: "b",
      times: 1,
      fault: async ({ forward, response }) => {
        const answer = await forward();
        // Somebody else looked before this write, and writes after it.
        await bucket.put("b", "of somebody else", { Metadata: { "lc2-write": "another" } });
        response.writeHead(200, answer.rawHeaders);
        answer.pipe(response);
      },
    });
    expect(await later.createIfAbsent("b", Buffer.from("ours"))).toBe(false);
    expect(await bucket.get("b")).toBe("of somebody else");
    await proxy.close();
  });
});
