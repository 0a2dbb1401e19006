/** Objects by which it is tried out what a store can do. Nobody needs them afterwards. */
import { Failure } from "../../core/failure.ts";
import type { ObjectStore, StoredObject } from "../../core/ports/object-store.ts";
import { probeIdPattern, probePrefix } from "../../core/repository/layout.ts";

/** Those that are there: of running probes, and of killed ones. What others keep in a folder of this name is not among them. */
export async function* listProbes(store: ObjectStore): AsyncIterable<StoredObject> {
  for await (const folder of store.listFolders(probePrefix))
    if (probeIdPattern.test(folder)) yield* store.list(`${probePrefix}${folder}/`);
}

/** False where the bucket locks by default what is written there: it stays until its time is over. */
export async function removeProbe(store: ObjectStore, name: string): Promise<boolean> {
  try {
    await store.delete(name);
    return true;
  } catch (error) {
    if (isLocked(error)) return false;
    throw error;
  }
}

export const isLocked = (error: unknown): error is Failure =>
  error instanceof Failure && error.code === "object-locked";
