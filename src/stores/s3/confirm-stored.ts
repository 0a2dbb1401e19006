import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../../core/failure.ts";
import type { StoredObject } from "../../core/ports/object-store.ts";
import type { ServerEncryption } from "../../core/repository/encryption.ts";
import type { ObjectStatement } from "./answered-facts.ts";
import { headObject } from "./head-object.ts";
import type { S3Connection } from "./s3-connection.ts";
import { s3Failure } from "./s3-failure.ts";
import { statedClass } from "./storage-class.ts";
import { proveEncryption, statedEncryption } from "./server-encryption.ts";

/** Pauses before an object that should be there is looked for again. */
const pausesMs = [100, 1_000];

/**
 * Asks the store for the object that it said to have stored. Rejects with `store-failed` when it is not there,
 * or has another size, or another CRC32 (where the store states one) than was sent; with `encryption-unproved` where
 * it was to be encrypted and the store does not say so.
 */
export async function confirmStored(
  way: S3Connection,
  key: string,
  sent: SentObject,
): Promise<ConfirmedObject> {
  const facts = await look(way, key);
  const sizeBytes = facts?.ContentLength ?? -1;
  const stated = facts?.ChecksumCRC32;
  const problem =
    facts === undefined
      ? "says that it stored it, and has no such object"
      : sizeBytes !== sent.sizeBytes
        ? `kept ${sizeBytes} bytes of ${sent.sizeBytes}`
        : stated !== undefined && sent.checksums?.includes(stated) === false
          ? `keeps other bytes than were sent (CRC32 ${stated} instead of ${sent.checksums[0]})`
          : undefined;
  if (problem !== undefined) {
    throw new Failure(
      "store-failed",
      `${key} was written and is not what was sent: the store of ${way.url} ${problem}. Run \`lc2 repository probe\` and do not rely on this store until the cause is known.`,
    );
  }
  const encryption = facts === undefined ? undefined : statedEncryption(facts);
  if (sent.encryption !== undefined) await proveEncryption(way, key, sent.encryption, encryption);
  const etag = facts?.ETag;
  return {
    sizeBytes,
    modifiedAtMs: facts?.LastModified?.getTime() ?? 0,
    ...(encryption === undefined ? {} : { encryption }),
    ...(etag === undefined ? {} : { etag }),
    ...statedClass(facts ?? {}),
    ...statedSha256(facts),
    metadata: facts?.Metadata ?? {},
  };
}

/** Of the whole object; of one in parts some stores state a hash of hashes, with the number of parts. */
function statedSha256(facts: ObjectStatement | undefined): { readonly sha256?: string } {
  const { ChecksumSHA256: stated = "", ChecksumType: type } = facts ?? {};
  const isWhole = type !== "COMPOSITE" && /^[A-Za-z0-9+/]{43}=$/.test(stated);
  return isWhole ? { sha256: Buffer.from(stated, "base64").toString("hex") } : {};
}

/** What was sent, and how the store was asked to encrypt it. */
export interface SentObject {
  readonly sizeBytes: number;
  readonly checksums: readonly string[] | undefined;
  readonly encryption?: ServerEncryption | undefined;
}

export type ConfirmedObject = Omit<StoredObject, "name"> & {
  readonly etag?: string;
  /** As the store states it, in hex. */
  readonly sha256?: string;
  readonly metadata: Readonly<Record<string, string>>;
};

async function look(way: S3Connection, key: string): Promise<ObjectStatement | undefined> {
  for (let tries = 0; ; tries += 1) {
    const found = await headObject(way, key, { checksums: true }).catch((error: unknown) => {
      throw s3Failure(error, way, { verb: "look at", action: "s3:GetObject", key });
    });
    const pauseMs = pausesMs[tries];
    if (found !== undefined || pauseMs === undefined) return found;
    await delay(pauseMs);
  }
}
