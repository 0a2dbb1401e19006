import type { HeadObjectCommandOutput, PutObjectCommandInput } from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import { describeEncryption, isProved, type ServerEncryption } from "../../core/repository/encryption.ts";
import { deleteForGood } from "./delete-versions.ts";
import type { S3Connection } from "./s3-connection.ts";
import { describeError } from "./store-error.ts";

type EncryptionInput = Pick<
  PutObjectCommandInput,
  "ServerSideEncryption" | "SSEKMSKeyId" | "BucketKeyEnabled"
>;

/** What a request that makes an object says of its encryption; nothing where the store is left to itself. */
export function encryptionInput(wanted: ServerEncryption | undefined): EncryptionInput {
  if (wanted === undefined) return {};
  const { algorithm, keyId } = wanted;
  if (algorithm === "AES256") return { ServerSideEncryption: algorithm };
  return {
    ServerSideEncryption: algorithm,
    ...(keyId === undefined ? {} : { SSEKMSKeyId: keyId }),
    // Else the key service is asked for every object, and throttles.
    BucketKeyEnabled: true,
  };
}

/** What the store says of an object's encryption. */
export function statedEncryption({
  ServerSideEncryption: algorithm,
  SSEKMSKeyId: keyId,
}: Pick<HeadObjectCommandOutput, "ServerSideEncryption" | "SSEKMSKeyId">): ServerEncryption | undefined {
  if (algorithm !== "aws:kms" && algorithm !== "AES256") return undefined;
  return { algorithm, ...(keyId === undefined ? {} : { keyId }) };
}

/**
 * Rejects with `encryption-unproved` unless the store says of the object what was asked for; then the object, which
 * nobody relies on yet, is removed.
 */
export async function proveEncryption(
  way: S3Connection,
  key: string,
  wanted: ServerEncryption,
  stated: ServerEncryption | undefined,
): Promise<void> {
  if (isProved(wanted, stated)) return;
  await deleteForGood(way, key).catch(() => undefined);
  const found =
    stated === undefined
      ? "it does not say that it did"
      : `it says that it used ${describeEncryption(stated)}`;
  throw new Failure(
    "encryption-unproved",
    `${way.url} was asked to encrypt ${key} with ${describeEncryption(wanted)}, and ${found}. The object was removed. ` +
      "Check the key's name and the bucket's settings; a store without encryption of its own takes repositories " +
      "that are encrypted before they leave this machine (without --encryption server).",
  );
}

/** A failure to write an object that was to be encrypted, where the encryption is what failed. */
export function explainRefusal(error: unknown, way: S3Connection, wanted: ServerEncryption): unknown {
  if (!(error instanceof Failure) || !refusals.has(error.code)) return error;
  const { code, message, status } = describeError(error.cause);
  if (status === undefined || status < 400 || (status > 404 && status !== 501)) return error;
  return new Failure(
    "encryption-unproved",
    `${way.url} does not encrypt with ${describeEncryption(wanted)}: ${code}: ${message.replace(/\.$/, "")}. Check the ` +
      "key's name; a store without encryption of its own takes repositories that are encrypted before they leave " +
      "this machine (without --encryption server).",
    { cause: error },
  );
}

/** What an unknown key or an unknown header is taken for elsewhere. */
const refusals: ReadonlySet<string> = new Set(["store-failed", "backup-incomplete"]);
