import { afterEach, beforeEach, expect, test } from "vitest";
import { openFileSource } from "../../src/worker/open-files.ts";
import type { TaskRun } from "../../src/worker/task.ts";
import { startFaultProxy, type FaultProxy } from "../support/fault-proxy.ts";
import { backUpFolder, openFilesPlace, planTo, restoreTo, type FilesPlace } from "../support/files-run.ts";
import { useS3Server, type S3Server, type TestBucket } from "../support/s3-servers.ts";

const inFolder = 40;
const keyOf = (index: number): string => `docs/${String(index).padStart(4, "0")}.txt`;

let server: S3Server;
let target: TestBucket;
let place: FilesPlace;
let run: TaskRun;
let proxy: FaultProxy;
let backupId: string;
let url: string;

beforeEach(async () => {
  server = await useS3Server("versitygw");
  place = openFilesPlace();
  run = { ...place.run, env: server.environment };
  const source = await server.freshBucket();
  await putAll(source, [...Array(inFolder).keys()].map(keyOf));
  await putAll(source, ["other/1.txt", "root.txt"]);
  const files = await openFileSource(source.url, run);
  const spec = { url: source.url };
  backupId = (await backUpFolder(place, "/unused", { number: 1, source: files, run, spec })).backupId;
  target = await server.freshBucket();
  proxy = await startFaultProxy(server.endpoint);
  url = target.urlOf({ endpoint: proxy.endpoint });
});
afterEach(async () => {
  await proxy.close();
  place.close();
});

async function putAll(bucket: TestBucket, keys: readonly string[]): Promise<void> {
  const queue = [...keys];
  const work = async (): Promise<void> => {
    for (let key = queue.pop(); key !== undefined; key = queue.pop())
      await bucket.put(key, `content of ${key}`);
  };
  await Promise.all(Array.from({ length: 16 }, work));
}

test("a lost folder is restored without a request for each object that is not there", async () => {
  const { plan } = await planTo(place, url, backupId, { run, include: ["docs/"] });
  expect(plan).toMatchObject({ add: inFolder, change: 0 });
  const evidence = await restoreTo(place, url, backupId, { run, include: ["docs/"], plan });
  expect(evidence).toMatchObject({ added: inFolder });
  expect(await target.keys()).toEqual([...Array(inFolder).keys()].map(keyOf));
  expect(proxy.countOf("HeadObject")).toBe(0);
  expect(proxy.countOf("PutObject")).toBe(inFolder);
});

test("of a folder that is partly there only what is missing or differs is written", async () => {
  await putAll(target, [...Array(inFolder).keys()].map(keyOf).slice(5));
  await target.put(keyOf(7), `content OF ${keyOf(7)}`);
  await target.put("docs/0007.txt~", "not in the backup");
  const evidence = await restoreTo(place, url, backupId, { run, include: ["docs/"] });
  expect(evidence).toMatchObject({ added: 5, replaced: 1, removed: 0, unchanged: inFolder - 6 });
  expect(await target.get(keyOf(7))).toBe(`content of ${keyOf(7)}`);
  expect(await target.get("docs/0007.txt~")).toBe("not in the backup");
});

test("where too much else lies between them, each object is asked for itself", async () => {
  await putAll(
    target,
    Array.from({ length: 1_100 }, (_, index) => `docs/${String(index).padStart(4, "0")}.bin`),
  );
  const { plan } = await planTo(place, url, backupId, { run, include: ["docs/"] });
  expect(plan).toMatchObject({ add: inFolder });
  // Those that come after all that was listed.
  await target.put(keyOf(1_200), "not in the backup");
  const evidence = await restoreTo(place, url, backupId, { run, include: ["docs/", "root.txt"] });
  expect(evidence).toMatchObject({ added: inFolder + 1, replaced: 0 });
  expect(await target.get("root.txt")).toBe("content of root.txt");
});
