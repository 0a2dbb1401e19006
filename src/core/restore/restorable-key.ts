import { Failure } from "../failure.ts";
import { showKey, type FileKey } from "../repository/manifest.ts";

/** A folder's names have at most so many bytes on the file systems in use. */
const longestName = 255;

/** Why a key cannot be a path below a folder; undefined when it can. */
export function whyNotRestorable(key: FileKey): string | undefined {
  const names = (key.endsWith("/") ? key.slice(0, -1) : key).split("/");
  for (const name of names) {
    if (name === "") return "it has an empty name in it";
    if (name === "." || name === "..") return `it has the name "${name}" in it`;
    if (name.includes("\0")) return "it has a zero byte in it";
    if (name.length > longestName) return `a name in it is longer than ${longestName} bytes`;
  }
  return undefined;
}

/** Rejects with `path-not-restorable` a key that could lead out of a folder, or that no folder can hold. */
export function assertRestorable(key: FileKey): void {
  const why = whyNotRestorable(key);
  if (why === undefined) return;
  throw new Failure(
    "path-not-restorable",
    `${showKey(key)} cannot be restored to a folder: ${why}. Leave it out with --include, or download it.`,
  );
}
