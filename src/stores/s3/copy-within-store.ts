import { CopyObjectCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import type { CopiedObject, CopyOrigin } from "../../core/ports/object-store.ts";
import type { ServerEncryption } from "../../core/repository/encryption.ts";
import { confirmStored } from "./confirm-stored.ts";
import { copySourceInput, copyWholeInParts, mostCopiedBytes, type CopySource } from "./copy-in-parts.ts";
import { toHeaders } from "./object-headers.ts";
import type { S3Connection } from "./s3-connection.ts";
import { encryptionInput } from "./server-encryption.ts";
import { classInput } from "./storage-class.ts";

/**
 * Has the store copy an object of another bucket, or of this one, to `key`; no byte of it comes here. Its metadata and
 * tags come along. The store is asked to hash what it copies in one request (SHA-256), and what it says of the copy
 * afterwards counts. Rejects with the client's errors, with `PreconditionFailed` where the object has changed; what was
 * copied then is garbage.
 */
export async function copyWithinStore(
  way: S3Connection,
  origin: CopyOrigin,
  key: string,
  { encryption, storageClass, onCopied }: CopyWishes,
  inOneRequest = mostCopiedBytes,
): Promise<Omit<CopiedObject, "name">> {
  const { place, key: sourceKey, sizeBytes, etag, versionId, object } = origin;
  const source: CopySource = { bucket: place.bucket, key: sourceKey, sizeBytes, etag, versionId };
  const wishes = { ...encryptionInput(encryption), ...classInput(storageClass) };
  const isInParts = sizeBytes > inOneRequest;
  if (isInParts) {
    const made = { key, ...toHeaders(object), ...wishes };
    await copyWholeInParts(way, source, made, { mostBytes: inOneRequest, onCopied });
  } else {
    await way.client.send(
      new CopyObjectCommand({
        Bucket: way.bucket,
        Key: key,
        ...copySourceInput(source),
        ChecksumAlgorithm: "SHA256",
        ...wishes,
      }),
    );
  }
  await assertUnchanged(way, source);
  const confirmed = await confirmStored(way, key, { sizeBytes, checksums: undefined, encryption });
  const { etag: _etag, metadata: _metadata, sha256, ...facts } = confirmed;
  // What is stated of parts is a hash of hashes.
  return { ...facts, ...(isInParts || sha256 === undefined ? {} : { sha256 }) };
}

/** How the store is to keep the copy. */
interface CopyWishes {
  readonly encryption?: ServerEncryption | undefined;
  readonly storageClass?: string | undefined;
  /** Told of each part. */
  readonly onCopied?: ((sizeBytes: number) => void) | undefined;
}

/** Some stores copy whatever the condition says (moto); then the state that was to be copied is looked for again. */
async function assertUnchanged(
  way: S3Connection,
  { bucket, key, etag, versionId }: CopySource,
): Promise<void> {
  if (way.place.endpoint === undefined || versionId !== undefined) return;
  const now = await way.client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
  if (now.ETag !== etag) throw new ReplacedMeanwhile(key);
}

/** Read as the answer that the store should have given. */
class ReplacedMeanwhile extends Error {
  constructor(key: string) {
    super(`${key} was replaced while it was copied`);
    this.name = "PreconditionFailed";
  }
}
