import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import { HeadBucketCommand } from "@aws-sdk/client-s3";
import type { S3Connection } from "./s3-connection.ts";

/** Where requests of a connection really go. */
export interface FoundEndpoint {
  /** `https://host:port`, without the bucket. */
  readonly url: string;
  readonly isThisMachine: boolean;
}

/**
 * Where requests of the connection go: its URL, the environment or a profile may say it. Sends none. The connection
 * is of no use afterwards.
 */
export async function identifyBucket({ client, bucket }: S3Connection): Promise<FoundEndpoint> {
  let found: { readonly protocol: string; readonly hostname: string; readonly port?: number } | undefined;
  client.middlewareStack.add(
    () => (args) => {
      found = args.request as typeof found;
      throw new Error("This request is not sent.");
    },
    { step: "build", name: "identifyBucket", priority: "high" },
  );
  await client.send(new HeadBucketCommand({ Bucket: bucket })).catch((error: unknown) => {
    if (found === undefined) throw error;
  });
  if (found === undefined) throw new Error("The request to the bucket went nowhere.");
  const { protocol, hostname, port } = found;
  const host = hostname.startsWith(`${bucket}.`) ? hostname.slice(bucket.length + 1) : hostname;
  const url = `${protocol}//${host}${port === undefined ? "" : `:${port}`}`;
  return { url, isThisMachine: await isThisMachine(host) };
}

/** Of this machine alone an address says who answers there; elsewhere many stores may share one. */
async function isThisMachine(host: string): Promise<boolean> {
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address)),
  );
  const addresses = await lookup(host.replaceAll(/[[\]]/g, ""), { all: true }).catch(() => []);
  return addresses.some(({ address }) => /^127\.|^::1$/.test(address) || own.has(address));
}
