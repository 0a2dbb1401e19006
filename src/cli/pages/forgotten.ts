import type { CommandContext } from "../context.ts";

/** What a deletion of a definition came to, or would. */
export function showForgotten(what: string, name: string, dryRun: boolean, context: CommandContext): string {
  if (context.format === "name") return `${name}\n`;
  return dryRun
    ? `Nothing was forgotten. ${what} would be; its backups would stay.\n`
    : `${what} is forgotten; its backups stay.\n`;
}
