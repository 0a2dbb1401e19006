/**
 * `lc2 worker [KIND [buckets]]`: one task of the engine, in a process of its own. Started by
 * `processes/launch-worker.ts`, with the kind of task, and whether it is about buckets, when the task itself is still to come.
 */
import { fileURLToPath } from "node:url";
import { isBucketUrl, parseBucketUrl } from "../core/files/bucket-url.ts";
import { Failure } from "../core/failure.ts";
import type { ObjectStore } from "../core/ports/object-store.ts";
import { loadTask, runTask } from "../worker/run-task.ts";
import { runWorkerProcess, type StoreOptions } from "../worker/worker-process.ts";
import { readEnvironment } from "./config.ts";

const [expectedKind, expectedPlaces] = process.argv.slice(2);
if (expectedKind !== undefined) {
  await Promise.all([
    loadTask(expectedKind),
    import("../stores/filesystem/filesystem-store.ts"),
    import("../keys/keyfile/keyfile-service.ts"),
    expectedPlaces === "buckets" ? loadBucketStore() : undefined,
  ]);
}

await runWorkerProcess({
  runTask,
  openStore: async (url, options) => {
    if (isBucketUrl(url)) return openBucketStore(url, options);
    const { openFilesystemStore } = await import("../stores/filesystem/filesystem-store.ts");
    return openFilesystemStore(fileURLToPath(url));
  },
  openKeys: async (directory, onNotice) => {
    const { KeyfileService } = await import("../keys/keyfile/keyfile-service.ts");
    return new KeyfileService(directory, { onNotice });
  },
  env: readEnvironment(),
});

/** The client for buckets costs memory and time: loaded only where there is a bucket. */
async function openBucketStore(url: string, options: StoreOptions): Promise<ObjectStore> {
  const parsed = parseBucketUrl(url);
  if ("problem" in parsed) throw new Failure(parsed.code, parsed.problem);
  const [{ openS3 }, { openS3Store }, { readServerEncryption }] = await loadBucketStore();
  const store: ObjectStore = openS3Store(openS3(parsed.place, readEnvironment(), options), {
    encryption: () =>
      options.serverEncryption === undefined
        ? readServerEncryption(store)
        : Promise.resolve(options.serverEncryption),
  });
  return store;
}

function loadBucketStore() {
  return Promise.all([
    import("../stores/s3/s3-connection.ts"),
    import("../stores/s3/s3-store.ts"),
    import("../worker/repository/server-encryption.ts"),
  ]);
}
