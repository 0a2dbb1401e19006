/** What the system says of a file, and how it is asked. */
import type { BigIntStats, PathLike } from "node:fs";
import type { SourceEntry } from "../../core/ports/file-source.ts";
import type { FileKey } from "../../core/repository/manifest.ts";

/** An entry of a stat's facts. Its key must have the slash that a folder's key has. */
export function describe(key: FileKey, facts: BigIntStats): SourceEntry {
  const kind = kindOf(Number(facts.mode));
  const isFile = kind === "file";
  const entry: SourceEntry = {
    key,
    kind: key.endsWith("/") === (kind === "directory") ? kind : "special",
    sizeBytes: isFile ? Number(facts.size) : 0,
    mtimeNs: String(facts.mtimeNs),
    mode: Number(facts.mode) & 0o7777,
    uid: Number(facts.uid),
    gid: Number(facts.gid),
    version: `${facts.ctimeNs}:${facts.ino}`,
  };
  if (entry.kind !== "special") return entry;
  const message =
    kind === "special" ? specialName(Number(facts.mode)) : "its kind changed while the folder was listed";
  return { ...entry, problem: { reason: kind === "special" ? "special" : "changing", message } };
}

const typeBits = 0o170000;

function kindOf(mode: number): SourceEntry["kind"] {
  switch (mode & typeBits) {
    case 0o100000:
      return "file";
    case 0o040000:
      return "directory";
    case 0o120000:
      return "symlink";
    default:
      return "special";
  }
}

function specialName(mode: number): string {
  const names: Record<number, string> = {
    0o140000: "socket",
    0o010000: "FIFO",
    0o020000: "character device",
  };
  return names[mode & typeBits] ?? ((mode & typeBits) === 0o060000 ? "block device" : "no file");
}

/** A path for the system: bytes as they are. ASCII, the common case, needs no buffer. */
export function toPath(binary: string): PathLike {
  return /[\x80-\xff]/.test(binary) ? Buffer.from(binary, "latin1") : binary;
}

/** Whether it is an error of the system (or of Node) with one of these codes; with any code for none. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return codes.length === 0 || codes.includes(String(error.code));
}

/** `EACCES: permission denied`, without the path, which the message around it names. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split(", ")[0] ?? message;
}
