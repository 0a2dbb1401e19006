import { associatedData } from "../../core/repository/layout.ts";
import type { StoredAt } from "../../core/repository/manifest.ts";
import { compressMember } from "./compress-member.ts";
import { closeBytesInto } from "../streams/stream-encryption.ts";
import type { StreamKey } from "../streams/stream-key.ts";

/** Whose pack members are encoded. */
export interface MemberOwner {
  readonly projectId: string;
  readonly backupId: string;
  readonly key: StreamKey;
}

/** Contents that follow each other in `plain`, to become members of a pack from `offset` on. */
export interface MemberBatch {
  readonly pack: string;
  readonly offset: number;
  readonly plain: Uint8Array;
  readonly lengths: readonly number[];
  /** Where the encoded form goes: room for `mostClosedBytes` of it. */
  readonly encoded: Uint8Array;
}

/** For a thread that remembers where the batch before ended; absent `offset`: there. */
export type ThreadBatch = Omit<MemberBatch, "offset"> & { readonly offset: number | undefined };

/** The members' encrypted streams, one after the other, are in the batch's `encoded`. */
export interface EncodedBatch {
  readonly lengthBytes: number;
  readonly places: readonly StoredAt[];
}

/** Compresses each content where that pays, and encrypts it bound to its place in the pack. */
export function encodeMembers({ projectId, backupId, key }: MemberOwner, batch: MemberBatch): EncodedBatch {
  const { pack, offset, plain, encoded } = batch;
  const target = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  const places: StoredAt[] = [];
  let from = 0;
  let lengthBytes = 0;
  for (const length of batch.lengths) {
    const { codec, bytes } = compressMember(plain.subarray(from, from + length));
    from += length;
    const at = offset + lengthBytes;
    const data = associatedData(projectId, backupId, pack, at);
    const stored = closeBytesInto(target, lengthBytes, key, data, bytes);
    places.push({ file: pack, offset: at, length: stored, codec });
    lengthBytes += stored;
  }
  return { lengthBytes, places };
}
