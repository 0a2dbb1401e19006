import { hash } from "node:crypto";
import { HeadObjectCommand } from "@aws-sdk/client-s3";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openFileSource, openFileTarget } from "../../src/worker/open-files.ts";
import type { TaskRun } from "../../src/worker/task.ts";
import { openS3Store } from "../../src/stores/s3/s3-store.ts";
import { dyingStore, dyingTarget, Life } from "../support/dying.ts";
import { startFaultProxy, type Fault, type FaultProxy } from "../support/fault-proxy.ts";
import {
  backUpFolder,
  openFilesPlace,
  planTo,
  restoreIdOf,
  restoreTo,
  undoTo,
  type FilesPlace,
} from "../support/files-run.ts";
import { cutRequest, cutResponse, keepNothing, slowDown } from "../support/s3-faults.ts";
import { connectTo } from "../support/s3-store-over-proxy.ts";
import { useS3Server, type S3Server, type TestBucket } from "../support/s3-servers.ts";

let server: S3Server;
let source: TestBucket;
let proxy: FaultProxy;
let place: FilesPlace;
let run: TaskRun;

beforeAll(async () => void (server = await useS3Server("versitygw")));
beforeEach(async () => {
  source = await server.freshBucket();
  proxy = await startFaultProxy(server.endpoint);
  place = openFilesPlace();
  run = { ...place.run, env: server.environment };
});
afterEach(async () => {
  place.close();
  await proxy.close();
});

async function backUp(number: number, by: TaskRun = run): Promise<string> {
  const files = await openFileSource(source.url, by);
  const spec = { url: source.url };
  return (await backUpFolder(place, "/unused", { number, source: files, run: by, spec })).backupId;
}

const throughProxy = (bucket: TestBucket): string => bucket.urlOf({ endpoint: proxy.endpoint });

/** Every object with its content, type and metadata. */
async function stateOf(bucket: TestBucket): Promise<string[]> {
  const client = server.client();
  const lines: string[] = [];
  for (const Key of await bucket.keys()) {
    const head = await client.send(new HeadObjectCommand({ Bucket: bucket.name, Key }));
    const content = hash("sha256", await bucket.get(Key));
    lines.push(`${Key} ${content} ${head.ContentType} ${JSON.stringify(head.Metadata)}`);
  }
  return lines;
}

/** As `keepNothing`, by a store that even repeats the checksum it was sent. */
const keepNothingAndRepeatChecksum = (): Fault => async (exchange) => {
  const sum = exchange.incoming.headers["x-amz-checksum-sha256"];
  exchange.response.setHeader("x-amz-checksum-sha256", sum ?? "");
  await keepNothing()(exchange);
};

describe("a bucket that says that it keeps what it does not keep", () => {
  let backupId: string;
  beforeEach(async () => {
    for (let i = 0; i < 5; i += 1) await source.put(`docs/${i}.txt`, `content ${i}`);
    backupId = await backUp(1);
  });

  test("is found out when something is added", async () => {
    const target = await server.freshBucket();
    proxy.add({ operation: "PutObject", key: "docs/3.txt", fault: keepNothingAndRepeatChecksum() });
    await expect(restoreTo(place, throughProxy(target), backupId, { run })).rejects.toMatchObject({
      code: "restored-files-differ",
      message: expect.stringContaining("docs/3.txt is missing") as string,
    });
  });

  test("is found out at once where it says nothing of a checksum", async () => {
    const target = await server.freshBucket();
    proxy.add({ operation: "PutObject", key: "docs/3.txt", fault: keepNothing() });
    await expect(restoreTo(place, throughProxy(target), backupId, { run })).rejects.toMatchObject({
      code: "store-failed",
      message: expect.stringContaining("docs/3.txt") as string,
    });
  });

  test("is found out when something of the same size is replaced, and an undo has nothing to do", async () => {
    await source.put("docs/3.txt", "Content 3");
    const before = await stateOf(source);
    proxy.add({ operation: "PutObject", key: "docs/3.txt", fault: keepNothingAndRepeatChecksum() });
    await expect(restoreTo(place, throughProxy(source), backupId, { run })).rejects.toMatchObject({
      code: "store-failed",
      message: expect.stringContaining("docs/3.txt") as string,
    });
    await undoTo(place, throughProxy(source), { run });
    expect(await stateOf(source)).toEqual(before);
  });
});

test("a store that asks to slow down, and connections that are cut, delay a restore and do it no harm", async () => {
  const whole = Array.from({ length: 20 }, (_, i) => `docs/${i}.txt`);
  for (const key of whole) await source.put(key, key.repeat(50));
  await source.put("large", Buffer.alloc(9_000_000, "large"));
  const backupId = await backUp(1);
  const target = await server.freshBucket();
  proxy.add({ operation: "PutObject", times: 3, fault: slowDown() });
  proxy.add({ operation: "PutObject", after: 5, times: 1, fault: cutRequest(100) });
  proxy.add({ operation: "PutObject", after: 8, times: 1, fault: cutResponse(0) });
  proxy.add({ operation: "UploadPart", times: 1, fault: cutRequest(1_000_000) });
  await restoreTo(place, throughProxy(target), backupId, { run });
  // This store states the checksum of what it was sent, so nothing has to be read back.
  // Beside the look whether the target holds the repository.
  expect(proxy.countOf("GetObject", /^(?!lc2-repository\.json$)/)).toBe(0);
  expect(await stateOf(target)).toEqual(await stateOf(source));
});

describe("rights", () => {
  let backupId: string;
  let target: TestBucket;
  const guest = (): TaskRun => ({ ...run, env: server.guestEnvironment });
  beforeEach(async () => {
    await source.put("a", "content");
    backupId = await backUp(1);
    target = await server.freshBucket();
  });

  test("that are missing to list or to write are said in the plan, and what to allow", async () => {
    await target.allowGuest([{ actions: ["s3:GetObject"], resources: ["*"] }]);
    const unlisted = await planTo(place, target.url, backupId, { run: guest() });
    expect(unlisted.blockers).toMatchObject([{ code: "store-access-denied" }]);
    expect(unlisted.blockers[0]?.message).toContain("s3:ListBucket");
    await target.allowGuest([
      { actions: ["s3:GetObject"], resources: ["*"] },
      { actions: ["s3:ListBucket"], resources: [""] },
    ]);
    const unwritten = await planTo(place, target.url, backupId, { run: guest() });
    expect(unwritten.blockers).toMatchObject([{ code: "store-access-denied" }]);
    expect(unwritten.blockers[0]?.message).toContain("s3:PutObject");
  });

  test("are tried without leaving anything", async () => {
    const { blockers } = await planTo(place, target.url, backupId, { run });
    expect(blockers).toEqual([]);
    expect(await target.uploads()).toEqual([]);
    expect(await target.keys()).toEqual([]);
  });
});

describe("a restore that is killed", () => {
  let backupId: string;
  let wanted: string[];

  const damage = async (): Promise<string[]> => {
    await source.put("docs/1.txt", "changed");
    await source.put("docs/2.txt", "content 2", { ContentType: "text/html", Metadata: { own: "yes" } });
    await source.delete("docs/3.txt");
    await source.put("surplus", "not in the backup");
    return stateOf(source);
  };
  beforeEach(async () => {
    for (let i = 0; i < 5; i += 1)
      await source.put(`docs/${i}.txt`, `content ${i}`, { ContentType: "text/plain" });
    wanted = await stateOf(source);
    backupId = await backUp(1);
  });

  const restoreWithLife = async (restore: number, life: Life): Promise<boolean> => {
    const dying = { ...run, store: dyingStore(run.store, life) };
    const target = dyingTarget(await openFileTarget(source.url, restoreIdOf(restore), run), life);
    const { plan } = await planTo(place, source.url, backupId, { restore, mode: "mirror", run });
    try {
      await restoreTo(place, source.url, backupId, { restore, mode: "mirror", plan, run: dying, target });
      return true;
    } catch (error) {
      if (!life.isOver) throw error;
      return false;
    }
  };

  test("between any two steps goes on when it is run again, and is undone exactly", async () => {
    let isDone = false;
    let lives = 0;
    for (let calls = 1; !isDone; calls += 1) {
      const before = await damage();
      isDone = await restoreWithLife(calls, new Life(calls));
      const goesOn = calls % 2 === 0;
      if (goesOn) await restoreTo(place, source.url, backupId, { restore: calls, mode: "mirror", run });
      const reached = goesOn ? await stateOf(source) : wanted;
      expect({ calls, state: reached }).toEqual({ calls, state: wanted });
      await undoTo(place, source.url, { restore: calls, run });
      expect({ calls, state: await stateOf(source) }).toEqual({ calls, state: before });
      lives = calls;
    }
    expect(lives).toBeGreaterThan(10);
  });

  test("while a large object is on its way leaves no upload behind once it is run again", async () => {
    await source.put("large", Buffer.alloc(20_000_000, "large"));
    const id = await backUp(2);
    await source.delete("large");
    const url = throughProxy(source);
    const stopped = new AbortController();
    proxy.add({
      operation: "UploadPart",
      times: 1,
      fault: async () => stopped.abort(new Error("killed")),
    });
    // Nothing more gets through: as if the process were gone.
    const dead = proxy.add({ operation: "AbortMultipartUpload", key: "large", fault: async () => undefined });
    await expect(restoreTo(place, url, id, { run: { ...run, signal: stopped.signal } })).rejects.toThrow(
      "killed",
    );
    dead.remove();
    expect(await source.uploads()).toEqual(["large"]);
    await restoreTo(place, url, id, { run });
    expect(await source.uploads()).toEqual([]);
    expect((await source.get("large")).length).toBe(20_000_000);
  });
});

describe("a repository in a bucket", () => {
  test("that is the bucket to be mirrored is left alone, and read in few requests", async () => {
    for (let i = 0; i < 200; i += 1) await source.put(`docs/${i}.txt`, `content ${i} `.repeat(100));
    const way = connectTo(source.urlOf({ prefix: "lc2/", endpoint: proxy.endpoint }), server.environment);
    const store = openS3Store(way);
    const repository = source.urlOf({ prefix: "lc2/" });
    const inside: TaskRun = { ...run, store, context: { ...run.context, repository } };
    const backupId = await backUp(1, inside);
    const before = await source.keys();
    for (let i = 0; i < 200; i += 1) await source.delete(`docs/${i}.txt`);
    await source.put("surplus", "not in the backup");
    const countReads = async (work: () => Promise<unknown>): Promise<number> => {
      const from = proxy.countOf("GetObject", /pack-/);
      await work();
      return proxy.countOf("GetObject", /pack-/) - from;
    };
    const one = { run: inside, include: ["/docs/7.txt"] };
    expect(await countReads(() => restoreTo(place, source.url, backupId, one))).toBe(1);
    const all = { run: inside, restore: 2, mode: "mirror" as const };
    expect(await countReads(() => restoreTo(place, source.url, backupId, all))).toBeLessThan(5);
    expect(await source.get("docs/7.txt")).toBe("content 7 ".repeat(100));
    const kept = (await source.keys()).filter((key) => !key.startsWith("lc2/undo/"));
    expect(kept).toEqual(before);
    way.close();
  });
});
