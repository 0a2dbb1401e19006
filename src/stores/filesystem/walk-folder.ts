import { on } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { ListOptions, SourceEntry } from "../../core/ports/file-source.ts";
import { FolderWalk, type WalkPosition } from "./folder-walk.ts";
import type { Walked, WalkTask } from "./walk-folder-thread.ts";

const batchEntries = 64;
/** So many objects are looked at here before a thread is worth its start. */
const entriesBeforeThread = 2000;
/** Messages of the thread that may wait here. */
const messagesAhead = 4;

/**
 * Yields what is in a folder in byte order of keys, in batches; a large one is looked at by a thread, beside the
 * work on what was found. Memory: the names in the folders on the way, and a few batches.
 *
 * Rejects with `source-not-found` or `source-unreadable` when the root cannot be listed.
 */
export async function* walkFolder(
  root: string,
  options: ListOptions,
): AsyncGenerator<readonly SourceEntry[], void, undefined> {
  const walk = FolderWalk.begin(root, options);
  const lookedAtHere = availableParallelism() > 1 ? entriesBeforeThread : Infinity;
  for (let seen = 0; seen < lookedAtHere;) {
    const batch: SourceEntry[] = [];
    let goesOn = true;
    while (goesOn && batch.length < batchEntries) goesOn = walk.step(batch);
    if (batch.length > 0) yield batch;
    if (!goesOn) return;
    seen += batch.length;
  }
  yield* walkInThread(walk.position, options);
}

/** Goes on with a walk in a thread. Rejects when the thread fails. */
export async function* walkInThread(
  position: WalkPosition,
  { filter, onLeftOut, onNote }: ListOptions,
): AsyncGenerator<readonly SourceEntry[], void, undefined> {
  const task: WalkTask = { position, filter: filter.spec, prefix: filter.prefix ?? "" };
  const thread = new Worker(new URL("./walk-folder-thread.ts", import.meta.url), {
    workerData: task,
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  });
  try {
    for (let ahead = 0; ahead < messagesAhead; ahead += 1) thread.postMessage("more", []);
    // Its failure is thrown here.
    for await (const [walked] of on(thread, "message", { close: ["exit"] }) as AsyncIterable<[Walked]>) {
      for (const key of walked.leftOut) onLeftOut?.(key);
      for (const note of walked.notes) onNote?.(note);
      if (walked.entries.length > 0) yield walked.entries;
      if (walked.isLast) return;
      thread.postMessage("more", []);
    }
    throw new Error("the thread that walks the folder ended before the folder did");
  } finally {
    await thread.terminate();
  }
}
