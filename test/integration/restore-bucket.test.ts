import { hash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GetObjectTaggingCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import { openFileSource } from "../../src/worker/open-files.ts";
import type { TaskRun } from "../../src/worker/task.ts";
import {
  backUpFolder,
  openFilesPlace,
  planTo,
  restoreTo,
  settleTimes,
  snapshot,
  undoTo,
  type FilesPlace,
} from "../support/files-run.ts";
import { useS3Server, type S3Server, type TestBucket } from "../support/s3-servers.ts";

const large = Buffer.alloc(20_000_000, "large content, ");

for (const kind of ["versitygw", "minio", "moto"] as const) {
  describe(`a restore into a bucket of ${kind}`, () => {
    let server: S3Server;
    let source: TestBucket;
    let place: FilesPlace;
    let run: TaskRun;
    let backupId: string;

    beforeEach(async () => {
      server = await useS3Server(kind);
      source = await server.freshBucket();
      place = openFilesPlace();
      run = { ...place.run, env: server.environment };
      await fill(source);
      const files = await openFileSource(source.url, run);
      backupId = (
        await backUpFolder(place, "/unused", { number: 1, source: files, run, spec: { url: source.url } })
      ).backupId;
    });
    afterEach(() => place.close());

    /** Every object with its content, headers and tags, as one text. */
    const stateOf = async (bucket: TestBucket): Promise<string[]> => {
      const client = server.client();
      const lines: string[] = [];
      for (const Key of await bucket.keys()) {
        const object = { Bucket: bucket.name, Key };
        const head = await client.send(new HeadObjectCommand(object));
        const { TagSet = [] } = await client.send(new GetObjectTaggingCommand(object));
        const tags = TagSet.map((tag) => `${tag.Key}=${tag.Value}`).sort();
        const sha256 = hash("sha256", await bucket.get(Key));
        const { ContentType, CacheControl, ExpiresString, Metadata, ContentLength } = head;
        lines.push(
          JSON.stringify({
            Key,
            ContentLength,
            sha256,
            ContentType,
            CacheControl,
            ExpiresString,
            Metadata,
            tags,
          }),
        );
      }
      return lines;
    };

    test("that is empty makes it equal to the source, with headers, metadata and tags", async () => {
      const target = await server.freshBucket();
      const { plan, blockers } = await planTo(place, target.url, backupId, { run });
      expect(blockers).toEqual([]);
      const evidence = await restoreTo(place, target.url, backupId, { run, plan });
      expect(evidence).toMatchObject({ added: plan.add, replaced: 0, removed: 0 });
      expect(await stateOf(target)).toEqual(await stateOf(source));
      const again = await planTo(place, target.url, backupId, { run, restore: 2 });
      expect(again.plan).toMatchObject({ add: 0, change: 0, remove: 0, bytesToWrite: 0 });
    });

    test("over the source touches only what differs, and an undo brings all of that back", async () => {
      const whole = await stateOf(source);
      await source.put("docs/1.txt", "changed");
      await source.put("docs/2.txt", `content 2`.repeat(100), { ContentType: "text/html" });
      await source.put("docs/3.txt", `Content 3`.repeat(100));
      await source.delete("docs/4.txt");
      await source.put("large", Buffer.alloc(9_000_000, "other"), { Metadata: { own: "yes" } });
      await source.put("surplus", "not in the backup", { Tagging: "keep=me" });
      const damaged = await stateOf(source);
      const { plan } = await planTo(place, source.url, backupId, { run, mode: "mirror" });
      expect(plan).toMatchObject({ add: 1, change: 4, remove: 1 });
      await restoreTo(place, source.url, backupId, { run, mode: "mirror", plan });
      expect(await stateOf(source)).toEqual(whole);
      expect(await undoTo(place, source.url, { run })).toEqual({ restored: 5, removed: 1 });
      expect(await stateOf(source)).toEqual(damaged);
      expect(await undoTo(place, source.url, { run })).toEqual({ restored: 0, removed: 0 });
    });

    test("of one object, of one folder, brings these and nothing else", async () => {
      const target = await server.freshBucket();
      await restoreTo(place, target.url, backupId, { run, include: ["/docs/7.txt"] });
      expect(await target.keys()).toEqual(["docs/7.txt"]);
      await restoreTo(place, target.url, backupId, { run, restore: 2, include: ["docs/"] });
      expect((await target.keys()).length).toBe(30);
    });

    test("that does not exist makes it", async () => {
      const url = source.urlOf({ bucket: `${source.name}-new`, prefix: "site/" });
      const { plan, blockers, steps } = await planTo(place, url, backupId, { run });
      expect(blockers).toEqual([]);
      expect(steps[0]).toContain("Make the bucket");
      await restoreTo(place, url, backupId, { run, plan });
      expect((await planTo(place, url, backupId, { run, restore: 2 })).plan).toMatchObject({
        add: 0,
        change: 0,
      });
    });

    test("can be left for a folder, whose plan says what that loses", async () => {
      const folder = join(place.folder, "target");
      const { warnings, blockers } = await planTo(place, folder, backupId, { run });
      expect(blockers).toEqual([]);
      expect(warnings.join()).toContain("content types, metadata and tags");
      await restoreTo(place, folder, backupId, { run });
      expect(readFileSync(join(folder, "docs/5.txt"), "utf8")).toBe("content 5".repeat(100));
      expect(readFileSync(join(folder, "large")).equals(large)).toBe(true);
      expect(existsSync(join(folder, "dir"))).toBe(true);
    });

    test("of a folder's files says what is left out, and keeps the rest", async () => {
      const folder = join(place.folder, "folder");
      mkdirSync(join(folder, "a/empty"), { recursive: true });
      writeFileSync(join(folder, "a/file"), "text");
      writeFileSync(join(folder, "nothing"), "");
      symlinkSync("a/file", join(folder, "link"));
      settleTimes(folder);
      const before = snapshot(folder);
      const id = (await backUpFolder(place, folder, { number: 2 })).backupId;
      const target = await server.freshBucket();
      const { plan, blockers, warnings } = await planTo(place, target.url, id, { run });
      expect(blockers).toEqual([]);
      expect(warnings.join(" ")).toContain("1 symlinks are left out, as a bucket has none: link");
      expect(plan).toMatchObject({ add: 2 });
      await restoreTo(place, target.url, id, { run, plan });
      expect(await target.keys()).toEqual(["a/file", "nothing"]);
      expect(await target.get("a/file")).toBe("text");
      expect(snapshot(folder)).toEqual(before);
    });
  });
}

async function fill(bucket: TestBucket): Promise<void> {
  const facts = {
    ContentType: "text/plain; charset=utf-8",
    CacheControl: "max-age=60",
    Metadata: { owner: "marketing" },
    Tagging: "kind=document&state=final%20one",
  };
  for (let i = 0; i < 30; i += 1)
    await bucket.put(`docs/${i}.txt`, `content ${i}`.repeat(100), i % 3 === 0 ? facts : {});
  await bucket.put("empty", "", facts);
  await bucket.put("dir/", "");
  await bucket.put("große Datei +&=%.txt", "umlaut");
  await bucket.put("large", large, facts);
}
