import type { CommandContext } from "../context.ts";
import { shellWord } from "../humanise.ts";
import { paintFor } from "../terminal.ts";

/** The loud word of a project's first key: the one thing that must not be overlooked. */
export function sayKeyCreated(context: CommandContext, projectId: string, place: string): void {
  const paint = paintFor(context.err);
  const flag = context.dataDirectoryFlag;
  context.note(
    [
      paint.bold(paint.yellow(`A key for project ${projectId} was made at ${place}.`)),
      paint.bold(
        "Without it the backups cannot be read, by anybody, ever. Keep a copy in another place, now:",
      ),
      `  lc2 key export ${flag}--project ${projectId} -o ${shellWord(`${projectId}.key`)}`,
    ].join("\n"),
  );
}
