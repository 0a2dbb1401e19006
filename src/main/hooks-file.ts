import { open } from "node:fs/promises";
import { Failure } from "../core/failure.ts";
import { emptyPolicy, type HookPolicy } from "../core/hooks/hook-policy.ts";
import { parseHookPolicy } from "../core/hooks/parse-hook-policy.ts";

/**
 * What hooks may do on this installation; nothing where there is no file. Rejects with `hooks-file-invalid`, also when
 * others than its owner may write it: they would choose what this service runs.
 */
export async function readHookPolicy(path: string): Promise<HookPolicy> {
  const file = await open(path).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw unreadable(path, error);
  });
  if (file === undefined) return emptyPolicy;
  try {
    const { mode, uid } = await file.stat();
    const isOurs = uid === 0 || uid === process.getuid?.();
    if (!isOurs || (mode & 0o022) !== 0) {
      throw new Failure(
        "hooks-file-invalid",
        `Others than root and the user of this service may write ${path}, and with it choose what the service runs. ` +
          "Give it to one of them, with the mode 0644 or less.",
      );
    }
    return parseHookPolicy(await file.readFile("utf8"), path);
  } catch (error) {
    throw error instanceof Failure ? error : unreadable(path, error);
  } finally {
    await file.close();
  }
}

const unreadable = (path: string, cause: unknown): Failure =>
  new Failure(
    "hooks-file-invalid",
    `The hooks file ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}.`,
    { cause },
  );
