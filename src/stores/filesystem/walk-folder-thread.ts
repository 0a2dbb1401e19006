/** A thread that goes on with a walk, one message for each that it is asked for. */
import { parentPort, workerData } from "node:worker_threads";
import { compileFilter, narrowFilter, type FileFilterSpec } from "../../core/files/filter.ts";
import type { SourceEntry } from "../../core/ports/file-source.ts";
import type { FileKey } from "../../core/repository/manifest.ts";
import { FolderWalk, type WalkPosition } from "./folder-walk.ts";

export interface WalkTask {
  readonly position: WalkPosition;
  readonly filter: FileFilterSpec;
  readonly prefix: FileKey;
}

/** What was met since the message before. */
export interface Walked {
  readonly entries: readonly SourceEntry[];
  readonly leftOut: readonly FileKey[];
  readonly notes: readonly string[];
  readonly isLast: boolean;
}

const entriesInMessage = 64;
/** Whole folders may hold nothing that belongs to the backup. */
const leftOutInMessage = 256;

const { position, filter, prefix } = workerData as WalkTask;
let leftOut: FileKey[] = [];
let notes: string[] = [];
const walk = new FolderWalk(position, {
  filter: narrowFilter(compileFilter(filter), prefix),
  onLeftOut: (key) => leftOut.push(key),
  onNote: (message) => notes.push(message),
});

parentPort?.on("message", () => {
  const entries: SourceEntry[] = [];
  let goesOn = true;
  while (goesOn && entries.length < entriesInMessage && leftOut.length < leftOutInMessage)
    goesOn = walk.step(entries);
  const walked: Walked = { entries, leftOut, notes, isLast: !goesOn };
  parentPort?.postMessage(walked, []);
  [leftOut, notes] = [[], []];
});
