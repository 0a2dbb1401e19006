import { chmod, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WrappedTools } from "./dump-tools.ts";

/**
 * A folder of client tools whose `pg_restore` is a shell script. It answers `--version` as the real one does;
 * for the rest, `body` runs with "$real" (the real program) and "$@" (its arguments).
 */
export async function wrapPgRestore(realDirectory: string, body: string): Promise<WrappedTools> {
  const directory = await mkdtemp(join(tmpdir(), "lc2-tools-"));
  const path = join(directory, "pg_restore");
  const real = join(realDirectory, "pg_restore");
  await writeFile(
    path,
    `#!/bin/sh\nreal='${real}'\nif [ "$1" = --version ]; then exec "$real" "$@"; fi\n${body}\n`,
  );
  await chmod(path, 0o755);
  for (const program of ["psql", "pg_dump"])
    await symlink(join(realDirectory, program), join(directory, program));
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}
