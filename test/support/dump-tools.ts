import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface WrappedTools extends AsyncDisposable {
  /** Give it as `--tools`. */
  readonly directory: string;
}

/**
 * A folder with a `pg_dump` that is a shell script. It answers `--version` as the real one does; for the
 * rest, `body` runs with "$real" (the real program) and "$@" (its arguments).
 */
export async function wrapPgDump(realDirectory: string, body: string): Promise<WrappedTools> {
  const directory = await mkdtemp(join(tmpdir(), "lc2-tools-"));
  const path = join(directory, "pg_dump");
  await writeFile(
    path,
    `#!/bin/sh\nreal='${join(realDirectory, "pg_dump")}'\n[ "$1" = --version ] && exec "$real" --version\n${body}\n`,
  );
  await chmod(path, 0o755);
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}
