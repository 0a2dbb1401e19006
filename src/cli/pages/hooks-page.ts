import type { HookView } from "../../contract/service.ts";
import { counted } from "../humanise.ts";
import { renderFields, type Page } from "../table.ts";
import { printable } from "../terminal.ts";

/** How the hooks of an operation went, for its page; empty where it has none. */
export function hooksSection(hooks: readonly HookView[] | undefined, page: Page): string[] {
  if (hooks === undefined) return [];
  return [`\n${page.paint.bold("Hooks")}\n`, renderFields(hooks.map(describeHook), page)];
}

function describeHook(hook: HookView): [string, string] {
  const { name, kind, when, status, tries, output, outputCut, error, undo } = hook;
  const often = tries === undefined || tries === 1 ? "" : ` after ${counted(tries, "try", "tries")}`;
  const lines = [
    `${status}${often}: ${kind}, ${when}`,
    ...(error === undefined ? [] : [printable(error.message)]),
    ...(output === undefined || output === ""
      ? []
      : output.split("\n").map((line) => `  ${printable(line)}`)),
    ...(outputCut === true ? ["  (only the end of what it said)"] : []),
    ...(undo === undefined
      ? []
      : [`undone: ${undo.status}${undo.error === undefined ? "" : `: ${printable(undo.error.message)}`}`]),
  ];
  return [name, lines.join("\n")];
}
