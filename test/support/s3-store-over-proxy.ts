/** A repository's store in a bucket of its own, reached through a proxy that can misbehave. */
import type { ObjectStore } from "../../src/core/ports/object-store.ts";
import { parseBucketUrl } from "../../src/core/files/bucket-url.ts";
import { openS3, type S3Connection, type S3Options } from "../../src/stores/s3/s3-connection.ts";
import { openS3Store } from "../../src/stores/s3/s3-store.ts";
import { startFaultProxy, type FaultProxy } from "./fault-proxy.ts";
import type { FreshBucketOptions, S3Server, TestBucket } from "./s3-servers.ts";

/** Short pauses between tries, and given up soon: for what stays bad. */
export const hasty = { totalMs: 600, firstContactMs: 600, baseMs: 5, longestPauseMs: 20 };

/** Short pauses, and never given up within a test, however slow the machine is: for what passes. */
export const patient: S3Options = {
  retry: { ...hasty, totalMs: 120_000, firstContactMs: 120_000 },
  idleTimeoutMs: 1_000,
};

export function connectTo(
  url: string,
  environment: Readonly<Record<string, string>>,
  options: S3Options = {},
): S3Connection {
  const parsed = parseBucketUrl(url);
  if ("problem" in parsed) throw new Error(parsed.problem);
  return openS3(parsed.place, environment, { retry: hasty, ...options });
}

export interface StoreOverProxy extends AsyncDisposable {
  readonly store: ObjectStore;
  readonly proxy: FaultProxy;
  readonly bucket: TestBucket;
  /** What the connection had to say to people. */
  readonly notices: readonly string[];
}

export async function openStoreOverProxy(
  server: S3Server,
  options: S3Options & { readonly bucket?: FreshBucketOptions; readonly asGuest?: boolean } = {},
): Promise<StoreOverProxy> {
  const bucket = await server.freshBucket(options.bucket);
  const proxy = await startFaultProxy(server.endpoint);
  const notices: string[] = [];
  const environment = options.asGuest === true ? server.guestEnvironment : server.environment;
  const way = connectTo(bucket.urlOf({ prefix: "lc2/", endpoint: proxy.endpoint }), environment, {
    ...options,
    onNotice: (message) => notices.push(message),
  });
  return {
    store: openS3Store(way),
    proxy,
    bucket,
    notices,
    [Symbol.asyncDispose]: async () => {
      way.close();
      await proxy.close();
    },
  };
}
