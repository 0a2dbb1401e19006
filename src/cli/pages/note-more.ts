import type { CommandContext } from "../context.ts";

/** Says how to see what a page of a list has left out. */
export function noteMore(
  context: CommandContext,
  page: { readonly offset: number; readonly shown: number; readonly total: number },
): void {
  const next = page.offset + page.shown;
  if (page.total > next) {
    context.note(`${page.shown} of ${page.total}; more with --offset ${next} or --limit`);
  }
}
