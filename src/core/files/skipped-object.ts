import type { SkipReason } from "../ports/file-source.ts";
import { encodeName, type FileKey } from "../repository/manifest.ts";

/** An object of the source that the backup does not hold as it is now; a line of `a{n}/files/skipped`. */
export interface SkippedObject {
  readonly key: FileKey;
  readonly reason: SkipReason;
  readonly message: string;
  /** The manifest has the version that an earlier backup stored. */
  readonly earlierVersionKept: boolean;
}

/** `{"key":"…","reason":"changing","message":"…","earlierVersionKept":true}`; the key as in the manifest. */
export function encodeSkipped(skipped: SkippedObject): string {
  const { key, reason, message, earlierVersionKept } = skipped;
  return `{${encodeName("key", key)},"reason":"${reason}","message":${JSON.stringify(message)},"earlierVersionKept":${earlierVersionKept}}`;
}
