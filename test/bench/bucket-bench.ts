/** An S3 server for benchmark cases, buckets full of made-up documents, and rclone on the same server. */
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { formatBucketUrl } from "../../src/core/files/bucket-url.ts";
import { installServer, rootCredentials, startS3Server } from "../support/start-s3-server.ts";
import { measure, type CommandOptions, type Measurement } from "./measure.ts";
import { lc2Text } from "./workbench.ts";

/** The same on both sides. */
export const transfers = 16;
const region = "us-east-1";

export interface BucketBench extends AsyncDisposable {
  readonly endpoint: string;
  /** Credentials for whoever takes them by the AWS chain. */
  readonly environment: Readonly<Record<string, string>>;
  readonly programs: readonly string[];
  urlOf(bucket: string): string;
  /** Where the server keeps a bucket's objects, as files. */
  folderOf(bucket: string): string;
  create(bucket: string): Promise<void>;
  put(bucket: string, key: string, body: Uint8Array): Promise<void>;
  /** Objects and bytes of a bucket. */
  sizeOf(bucket: string): Promise<{ readonly objects: number; readonly sizeBytes: number }>;
  remove(bucket: string): Promise<void>;
  /** `rclone` with `bench:` for this server. */
  rclone(args: readonly string[], options?: CommandOptions): Promise<Measurement>;
  /** A command line of the shell in which `$RCLONE` is rclone. */
  shell(line: string, options?: CommandOptions): Promise<Measurement>;
}

export async function openBucketBench(): Promise<BucketBench> {
  const rclone = await installServer("rclone");
  const server = await startS3Server("versitygw");
  const { endpoint } = server;
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials: rootCredentials });
  const environment = {
    AWS_ACCESS_KEY_ID: rootCredentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: rootCredentials.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: "true",
  };
  const rcloneEnvironment = {
    ...environment,
    RCLONE: rclone,
    RCLONE_CONFIG: "",
    RCLONE_CONFIG_BENCH_TYPE: "s3",
    RCLONE_CONFIG_BENCH_PROVIDER: "Other",
    RCLONE_CONFIG_BENCH_ENV_AUTH: "true",
    RCLONE_CONFIG_BENCH_REGION: region,
    RCLONE_CONFIG_BENCH_ENDPOINT: endpoint,
  };
  const withRclone = (options: CommandOptions = {}): CommandOptions => ({
    ...options,
    env: { ...options.env, ...rcloneEnvironment },
  });
  const folderOf = (bucket: string) => join(server.directory, "data", bucket);
  const version = (await measure([rclone, "version"])).stdout.split("\n")[0] ?? "rclone";
  return {
    endpoint,
    environment,
    programs: [
      `${lc2Text}, everything from its start to its end`,
      version,
      "versitygw 1.8.0 on the same machine's file system, for both",
    ],
    urlOf: (bucket) => formatBucketUrl({ bucket, prefix: "", endpoint, region }),
    folderOf,
    create: async (Bucket) => {
      await client.send(new CreateBucketCommand({ Bucket }));
    },
    put: async (Bucket, Key, Body) => {
      await client.send(new PutObjectCommand({ Bucket, Key, Body }));
    },
    sizeOf: async (bucket) => {
      let [objects, sizeBytes] = [0, 0];
      for await (const page of pagesOf(client, bucket)) {
        objects += page.length;
        for (const { Size = 0 } of page) sizeBytes += Size;
      }
      return { objects, sizeBytes };
    },
    // By requests it would take as long as what is measured.
    remove: (bucket) => rm(folderOf(bucket), { recursive: true, force: true }),
    rclone: (args, options) => measure([rclone, ...args], withRclone(options)),
    shell: (line, options) => measure(["bash", "-c", `set -o pipefail; ${line}`], withRclone(options)),
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      await server.stop();
    },
  };
}

async function* pagesOf(client: S3Client, Bucket: string) {
  let token: string | undefined;
  do {
    const page: { ContinuationToken?: string } = token === undefined ? {} : { ContinuationToken: token };
    const answer = await client.send(new ListObjectsV2Command({ Bucket, ...page }));
    if (answer.Contents !== undefined) yield answer.Contents;
    token = answer.NextContinuationToken;
  } while (token !== undefined);
}

const objectsInFolder = 500;

export const keyOfDocument = (index: number): string =>
  `documents/${String(Math.floor(index / objectsInFolder)).padStart(4, "0")}/document-${String(index).padStart(7, "0")}.bin`;

const words = "the of a content management system stores its documents in one bucket and text in tables "
  .repeat(8)
  .split(" ");
const noise = randomBytes(4 << 20);
const text = Buffer.from(
  Array.from({ length: 400_000 }, (_, i) => words[(noise[i % noise.length] ?? 0) % words.length]).join(" "),
);

/** Of 1 KB to `largestKb` KB, small ones in the majority; a third random bytes, the rest text. */
export function documentOf(index: number, largestKb: number, salt = ""): Buffer {
  const share = ((index * 7_919) % 10_007) / 10_007;
  const size = Math.floor(1_000 * largestKb ** share);
  const from = index % 3 === 0 ? noise : text;
  const at = (index * 104_729) % (from.length - size);
  return Buffer.concat([Buffer.from(`document ${index} ${salt}\n`), from.subarray(at, at + size)]);
}

/** Puts documents into a bucket, some at a time. */
export async function putDocuments(
  bench: BucketBench,
  bucket: string,
  indexes: Iterable<number>,
  largestKb: number,
  salt?: string,
): Promise<void> {
  const queue = indexes[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (let next = queue.next(); next.done !== true; next = queue.next())
      await bench.put(bucket, keyOfDocument(next.value), documentOf(next.value, largestKb, salt));
  };
  await Promise.all(Array.from({ length: transfers }, work));
}

/**
 * The first `count` documents in a bucket, put where the server keeps its objects: through its door 200,000 of them
 * would take longer than all that is measured.
 */
export function fillWithDocuments(
  bench: BucketBench,
  bucket: string,
  count: number,
  largestKb: number,
): Promise<void> {
  return putAsFiles(bench, bucket, function* () {
    for (let index = 0; index < count; index += 1)
      yield { key: keyOfDocument(index), pieces: [documentOf(index, largestKb)] };
  });
}

/** An object of random bytes, put there in the same way: the server takes minutes to join a large one's parts. */
export function putLarge(bench: BucketBench, bucket: string, key: string, sizeMb: number): Promise<void> {
  function* pieces() {
    for (let mb = 0; mb < sizeMb; mb += 1) yield randomBytes(1_000_000);
  }
  return putAsFiles(bench, bucket, () => [{ key, pieces: pieces() }]);
}

interface NewObject {
  readonly key: string;
  readonly pieces: Iterable<Buffer>;
}

async function putAsFiles(
  bench: BucketBench,
  bucket: string,
  objects: () => Iterable<NewObject>,
): Promise<void> {
  const program = fileURLToPath(new URL("./set_attributes.py", import.meta.url));
  const attributes = spawn("python3", [program], { stdio: ["pipe", "inherit", "inherit"] });
  const ended = once(attributes, "close");
  for (const { key, pieces } of objects()) {
    const path = join(bench.folderOf(bucket), key);
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(path, "w");
    const md5 = createHash("md5");
    let sum = 0;
    for (const piece of pieces) {
      writeSync(file, piece);
      md5.update(piece);
      sum = crc32(piece, sum);
    }
    closeSync(file);
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(sum);
    const line = `${path}\t${md5.digest("hex")}\t${crc.toString("base64")}\n`;
    if (!attributes.stdin.write(line)) await once(attributes.stdin, "drain");
  }
  attributes.stdin.end();
  const [exitCode] = (await ended) as [number];
  if (exitCode !== 0) throw new Error(`the objects of ${bucket} have not all their attributes`);
}
