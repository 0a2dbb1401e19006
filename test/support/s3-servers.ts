/** Real S3 servers for tests: one per kind and test run, with a fresh bucket for each test. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  NoSuchBucket,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
  type PutObjectCommandInput,
} from "@aws-sdk/client-s3";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { formatBucketUrl, type BucketPlace } from "../../src/core/files/bucket-url.ts";
import { askKeeper } from "./ask-keeper.ts";
import {
  guestCredentials,
  rootCredentials,
  testAuthorityFile,
  type S3Credentials,
  type S3ServerAddress,
  type S3ServerKind,
} from "./start-s3-server.ts";

export { guestCredentials, testAuthorityFile } from "./start-s3-server.ts";
export type { S3ServerKind } from "./start-s3-server.ts";

const region = "us-east-1";

export interface S3Server extends S3ServerAddress {
  readonly region: string;
  /** Environment by which the AWS chain finds the credentials, and nothing of this machine's. */
  readonly environment: Readonly<Record<string, string>>;
  /** As the second user, who may do only what a bucket's policy allows. versitygw only. */
  readonly guestEnvironment: Readonly<Record<string, string>>;
  /** The AWS SDK as the owner of everything; also over `endpoint`, another way to this server. Never tries twice. */
  client(endpoint?: string): S3Client;
  /** An empty bucket of the test's own. */
  freshBucket(options?: FreshBucketOptions): Promise<TestBucket>;
}

export interface FreshBucketOptions {
  readonly versioning?: boolean;
  /** Object lock can only be had from a bucket's creation on; it brings versioning along. */
  readonly objectLock?: boolean;
  /** It has only its name yet: whoever uses it makes it. */
  readonly isMissing?: boolean;
}

export interface TestBucket {
  readonly name: string;
  readonly server: S3Server;
  /** `s3://name?endpoint=…&region=…` */
  readonly url: string;
  /** URL of a part of the bucket, or of the bucket by another way. */
  urlOf(changes: Partial<BucketPlace>): string;
  put(
    key: string,
    body: string | Uint8Array,
    more?: Omit<PutObjectCommandInput, "Bucket" | "Key" | "Body">,
  ): Promise<void>;
  /** Content as UTF-8. Rejects where there is none. */
  get(key: string): Promise<string>;
  getBytes(key: string): Promise<Uint8Array>;
  delete(key: string): Promise<void>;
  /** Every key, as the server lists them. */
  keys(prefix?: string): Promise<string[]>;
  /** Keys of uploads that were begun and neither completed nor aborted; minio knows those of a whole key. */
  uploads(prefix?: string): Promise<string[]>;
  /** Every object of another bucket of this server, with all that is kept beside its bytes. */
  copyFrom(other: TestBucket): Promise<void>;
  /** With its objects; one that is not there is no error. The last call. */
  remove(): Promise<void>;
  /** What the second user may do, as statements of a bucket policy without `Principal`. versitygw only. */
  allowGuest(
    statements: readonly { readonly actions: readonly string[]; readonly resources: readonly string[] }[],
  ): Promise<void>;
}

/**
 * The shared server of a kind, started by the first test that asks, and installed first where it is not:
 * minutes, so ask for it in `beforeAll` or at the top of the file, where no test's time-out counts.
 */
export async function useS3Server(kind: S3ServerKind): Promise<S3Server> {
  return connectToS3((await askKeeper(`/s3/${kind}`)) as S3ServerAddress);
}

/** The ways to talk to a server that runs already. */
export function connectToS3({ kind, endpoint }: S3ServerAddress): S3Server {
  const server: S3Server = {
    kind,
    endpoint,
    region,
    environment: environmentOf(rootCredentials),
    guestEnvironment: environmentOf(guestCredentials),
    client: (other = endpoint) => openClient(other),
    freshBucket: (options = {}) => freshBucket(server, options),
  };
  return server;
}

/** Whatever configuration this machine has for AWS is out of the way. */
function environmentOf({ accessKeyId, secretAccessKey }: S3Credentials): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  };
}

function openClient(endpoint: string): S3Client {
  return new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: rootCredentials,
    // Some servers know no checksum but those that an operation demands.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    ...(endpoint.startsWith("https:")
      ? {
          requestHandler: new NodeHttpHandler({
            httpsAgent: new Agent({ ca: readFileSync(testAuthorityFile) }),
          }),
        }
      : {}),
  });
}

async function freshBucket(server: S3Server, options: FreshBucketOptions): Promise<TestBucket> {
  const Bucket = `test-${randomBytes(6).toString("hex")}`;
  const client = server.client();
  if (options.isMissing !== true) await createBucket(server, client, Bucket, options);
  return openBucket(server, client, Bucket);
}

async function createBucket(
  server: S3Server,
  client: S3Client,
  Bucket: string,
  options: FreshBucketOptions,
): Promise<void> {
  await client.send(
    new CreateBucketCommand({
      Bucket,
      ...(options.objectLock === true ? { ObjectLockEnabledForBucket: true } : {}),
      // Policies are checked for buckets without access lists of their own.
      ...(server.kind === "versitygw" ? { ObjectOwnership: "BucketOwnerEnforced" as const } : {}),
    }),
  );
  if (options.versioning === true && options.objectLock !== true) {
    const VersioningConfiguration = { Status: "Enabled" as const };
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  }
}

function openBucket(server: S3Server, client: S3Client, Bucket: string): TestBucket {
  const place: BucketPlace = {
    bucket: Bucket,
    prefix: "",
    endpoint: server.endpoint,
    region,
    ...(server.endpoint.startsWith("https:") ? { caFile: testAuthorityFile } : {}),
  };
  return {
    name: Bucket,
    server,
    url: formatBucketUrl(place),
    urlOf: (changes) => formatBucketUrl({ ...place, ...changes }),
    put: async (Key, Body, more = {}) => {
      await client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
    },
    get: async (Key) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      return (await Body?.transformToString("utf-8")) ?? "";
    },
    getBytes: async (Key) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      return (await Body?.transformToByteArray()) ?? new Uint8Array();
    },
    delete: async (Key) => {
      await client.send(new DeleteObjectCommand({ Bucket, Key }));
    },
    keys: (prefix) => listKeys(client, Bucket, prefix),
    uploads: async (Prefix) => {
      const prefix = Prefix === undefined ? {} : { Prefix };
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket, ...prefix }));
      return Uploads.map(({ Key }) => Key ?? "");
    },
    copyFrom: async (other) => {
      const copy = (Key: string) =>
        client.send(
          new CopyObjectCommand({ Bucket, Key, CopySource: `${other.name}/${encodeURIComponent(Key)}` }),
        );
      await Promise.all((await other.keys()).map(copy));
    },
    remove: async () => await removeBucket(client, Bucket),
    allowGuest: async (statements) => {
      const Policy = policyFor(Bucket, statements);
      await client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    },
  };
}

async function removeBucket(client: S3Client, Bucket: string): Promise<void> {
  try {
    const keys = await listKeys(client, Bucket);
    await Promise.all(keys.map((Key) => client.send(new DeleteObjectCommand({ Bucket, Key }))));
    await client.send(new DeleteBucketCommand({ Bucket }));
  } catch (error) {
    if (!(error instanceof NoSuchBucket)) throw error;
  } finally {
    client.destroy();
  }
}

async function listKeys(client: S3Client, Bucket: string, Prefix?: string): Promise<string[]> {
  const keys: string[] = [];
  let token: string | undefined;
  do {
    const page: { ContinuationToken?: string } = token === undefined ? {} : { ContinuationToken: token };
    const prefix = Prefix === undefined ? {} : { Prefix };
    const answer = await client.send(new ListObjectsV2Command({ Bucket, ...prefix, ...page }));
    keys.push(...(answer.Contents ?? []).map(({ Key }) => Key ?? ""));
    token = answer.NextContinuationToken;
  } while (token !== undefined);
  return keys;
}

function policyFor(
  bucket: string,
  statements: readonly { readonly actions: readonly string[]; readonly resources: readonly string[] }[],
): string {
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: statements.map(({ actions, resources }) => ({
      Effect: "Allow",
      Principal: { AWS: [guestCredentials.accessKeyId] },
      Action: actions,
      Resource: resources.map((path) => `arn:aws:s3:::${bucket}${path === "" ? "" : `/${path}`}`),
    })),
  });
}
