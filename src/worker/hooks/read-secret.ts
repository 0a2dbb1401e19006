import { readFile } from "node:fs/promises";
import { Failure } from "../../core/failure.ts";
import type { TaskRun } from "../task.ts";

/** The secret that `env:NAME` or `file:/path` refers to, without a line break at its end. Never named in a message. */
export async function readSecret(reference: string, env: TaskRun["env"]): Promise<string> {
  const [kind, place] = [
    reference.slice(0, reference.indexOf(":")),
    reference.slice(reference.indexOf(":") + 1),
  ];
  const secret =
    kind === "env"
      ? env[place]
      : await readFile(place, "utf8").catch((error: unknown) => refuse(reference, error));
  if (secret === undefined || secret.trim() === "") return refuse(reference, undefined);
  return secret.replace(/\r?\n$/, "");
}

function refuse(reference: string, cause: unknown): never {
  const why = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
  throw new Failure(
    "hook-failed",
    `There is no secret at ${reference}${why}, on the machine that runs the hook.`,
  );
}
