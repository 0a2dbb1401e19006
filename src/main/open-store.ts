import { fileURLToPath } from "node:url";
import { isBucketUrl, parseBucketUrl } from "../core/files/bucket-url.ts";
import { Failure } from "../core/failure.ts";
import type { ObjectStore } from "../core/ports/object-store.ts";
import type { StoreOptions } from "../worker/worker-process.ts";
import { readEnvironment } from "./config.ts";

/** For a worker: the store of a place, with the code of its kind only. */
export async function openStore(url: string, options: StoreOptions): Promise<ObjectStore> {
  if (isBucketUrl(url)) return await openBucketStore(url, options);
  const { openFilesystemStore } = await import("../stores/filesystem/filesystem-store.ts");
  return openFilesystemStore(fileURLToPath(url));
}

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

/** The client for buckets costs memory and time: loaded only where there is a bucket. */
export function loadBucketStore() {
  return Promise.all([
    import("../stores/s3/s3-connection.ts"),
    import("../stores/s3/s3-store.ts"),
    import("../worker/repository/server-encryption.ts"),
  ]);
}
