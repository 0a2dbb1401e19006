import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { ContextStore, SavedContext, SavedContexts } from "../cli/contexts.ts";
import { Failure } from "../core/failure.ts";
import { writeSecretFile } from "./secret-file.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** `$XDG_CONFIG_HOME/lc2/contexts.json`, or in `~/.config`; a relative XDG_CONFIG_HOME is ignored, as its specification asks. */
export function openContexts(env: Environment): ContextStore {
  const xdg = env["XDG_CONFIG_HOME"];
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(env["HOME"] || homedir(), ".config");
  const path = join(base, "lc2", "contexts.json");
  return {
    path,
    read: () => readContexts(path),
    write: async (contexts) => await writeSecretFile(path, JSON.stringify(contexts, undefined, 2)),
  };
}

function readContexts(path: string): SavedContexts {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return { contexts: {} };
    throw unreadable(path, error);
  }
  try {
    const saved: unknown = JSON.parse(text);
    if (isContexts(saved)) return saved;
  } catch (error) {
    throw unreadable(path, error);
  }
  throw unreadable(path, new Error("it does not have the members that `lc2 context set` writes"));
}

function isContexts(value: unknown): value is SavedContexts {
  if (typeof value !== "object" || value === null || !("contexts" in value)) return false;
  const { contexts } = value;
  if (typeof contexts !== "object" || contexts === null) return false;
  return Object.values(contexts).every(
    (one: unknown): one is SavedContext =>
      typeof one === "object" && one !== null && "server" in one && typeof one.server === "string",
  );
}

const unreadable = (path: string, cause: unknown): Failure =>
  new Failure(
    "usage",
    `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}. Mend it, or remove it and ` +
      "keep the servers again with `lc2 context set`.",
    { cause },
  );
