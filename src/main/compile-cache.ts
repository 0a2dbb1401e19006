import { accessSync, constants, mkdirSync } from "node:fs";
import { join } from "node:path";

/**
 * Variables that let node processes keep their compiled modules in the data directory: a worker starts in a
 * third of the time. Nothing when the directory is not there yet or cannot be written (node tries for ever
 * to use a cache that it cannot write).
 */
export function compileCacheVariables(dataDirectory: string): Readonly<Record<string, string>> {
  const directory = join(dataDirectory, "cache");
  try {
    accessSync(dataDirectory, constants.W_OK | constants.X_OK);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    accessSync(directory, constants.W_OK | constants.X_OK);
    return { NODE_COMPILE_CACHE: directory };
  } catch {
    return {};
  }
}
