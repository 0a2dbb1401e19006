import { Failure } from "../../core/failure.ts";
import type { ObjectStore } from "../../core/ports/object-store.ts";
import type { ServerEncryption } from "../../core/repository/encryption.ts";
import { repositoryFile } from "../../core/repository/layout.ts";
import { readObject } from "../streams/read-object.ts";
import { parseDescription } from "./repository.ts";

/**
 * How a repository wants its objects encrypted by their store, as it says itself; `none` where it does not, undefined
 * where there is no repository yet. So whoever writes there does it as all others, whatever the task.
 */
export async function readServerEncryption(
  store: ObjectStore,
): Promise<ServerEncryption | "none" | undefined> {
  try {
    const description = parseDescription((await readObject(store, repositoryFile)).toString(), store.url);
    return description.serverEncryption ?? "none";
  } catch (error) {
    if (error instanceof Failure && error.code === "backup-incomplete") return undefined;
    throw error;
  }
}
