import { Failure } from "../core/failure.ts";
import { makeContext, type EngineParts } from "./parts.ts";
import { runTaskAlone } from "./run-worker.ts";

/** Resolves when the installation's own repository, or the place where it will be made, answers. */
export async function checkOwnRepository(parts: EngineParts, signal: AbortSignal): Promise<void> {
  const context = makeContext(parts, { repository: parts.defaultRepository, projectId: "" });
  const task = { kind: "describe-repository", context } as const;
  await runTaskAlone(parts, "describe-repository", task, { signal }).catch((error: unknown) => {
    // The first backup makes it.
    if (Failure.from(error).code !== "repository-not-found") throw error;
  });
}
