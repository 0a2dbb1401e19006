import { GetObjectTaggingCommand, HeadObjectCommand, ListObjectVersionsCommand } from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sendHeadersAsGiven } from "../../src/stores/s3/object-headers.ts";
import { replaceFacts } from "../../src/stores/s3/replace-facts.ts";
import { openFileSource } from "../../src/worker/open-files.ts";
import {
  backUpFolder,
  openFilesPlace,
  planTo,
  restoreTo,
  undoTo,
  type FilesPlace,
} from "../support/files-run.ts";
import { connectTo } from "../support/s3-store-over-proxy.ts";
import { useS3Server } from "../support/s3-servers.ts";

let place: FilesPlace;
beforeEach(() => void (place = openFilesPlace()));
afterEach(() => place.close());

for (const kind of ["versitygw", "minio"] as const) {
  const server = await useS3Server(kind);

  describe(`on ${kind}`, () => {
    test("a bucket with versions keeps what a restore and its undo replace, which the plan says", async () => {
      const run = { ...place.run, env: server.environment };
      const bucket = await server.freshBucket({ versioning: true });
      await bucket.put("a", "one");
      const files = await openFileSource(bucket.url, run);
      const spec = { url: bucket.url };
      const { backupId } = await backUpFolder(place, "/unused", { number: 1, source: files, run, spec });
      await bucket.put("a", "two");
      await bucket.put("b", "surplus");
      const { plan, warnings } = await planTo(place, bucket.url, backupId, { run, mode: "mirror" });
      expect(warnings.join()).toContain("keeps versions");
      await restoreTo(place, bucket.url, backupId, { run, mode: "mirror", plan });
      expect([await bucket.keys(), await bucket.get("a")]).toEqual([["a"], "one"]);
      await undoTo(place, bucket.url, { run });
      expect([await bucket.get("a"), await bucket.get("b")]).toEqual(["two", "surplus"]);
      const listed = await server.client().send(new ListObjectVersionsCommand({ Bucket: bucket.name }));
      expect(listed.Versions?.filter(({ Key }) => Key === "a").length).toBe(4);
      expect(listed.DeleteMarkers?.length).toBe(1);
    });

    test("the metadata of an object are replaced in the store, in parts where it is too large for one request", async () => {
      const bucket = await server.freshBucket();
      const content = Buffer.alloc(6_000_000, "content");
      await bucket.put("large", content, {
        ContentType: "text/html",
        Metadata: { old: "yes" },
        Tagging: "old=yes",
      });
      const way = connectTo(bucket.url, server.environment);
      sendHeadersAsGiven(way.client);
      const object = { Bucket: bucket.name, Key: "large" };
      const now = await way.client.send(new HeadObjectCommand(object));
      const expires = "Thu, 01 Jan 2026 00:00:00 GMT";
      const facts = {
        contentType: "text/plain",
        expires,
        metadata: { own: "yes" },
        tags: { kind: "new one" },
      };
      await replaceFacts(way, "large", now, facts, 5_000_000);
      const after = await way.client.send(new HeadObjectCommand(object));
      expect(after).toMatchObject({
        ContentType: "text/plain",
        Metadata: { own: "yes" },
        ExpiresString: expires,
      });
      const { TagSet } = await way.client.send(new GetObjectTaggingCommand(object));
      expect(TagSet).toEqual([{ Key: "kind", Value: "new one" }]);
      expect(await bucket.get("large")).toBe(content.toString());
      await expect(
        replaceFacts(way, "large", { ...now, ETag: '"another"' }, facts, 5_000_000),
      ).rejects.toMatchObject({
        code: "restore-target-changed",
      });
      expect(await bucket.uploads("large")).toEqual([]);
      way.close();
    });
  });
}
