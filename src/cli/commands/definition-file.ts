import { readFile } from "node:fs/promises";
import type { Static, TSchema } from "typebox";
import type { Written } from "../../contract/definitions.ts";
import { compileShape } from "../../contract/rest/check-shape.ts";
import { Failure } from "../../core/failure.ts";
import type { CommandContext } from "../context.ts";
import { printable } from "../terminal.ts";

/**
 * What a file (`-`: standard input) in YAML or JSON says, checked by the schema that the server checks requests by.
 * Rejects with everything that is wrong with it.
 */
export async function readDefinitionFile<Schema extends TSchema>(
  context: CommandContext,
  file: string,
  schema: Schema,
): Promise<Static<Schema>> {
  const name = file === "-" ? "standard input" : printable(file);
  const text = await readText(context, file, name);
  const { parseDocument } = await import("yaml");
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw new Failure("request-invalid", `${name} is no YAML: ${error.message}`);
  const value: unknown = document.toJS();
  const problems = compileShape(schema, name)(value);
  if (problems.length > 0) {
    const all = problems.map(({ field, message }) => `${field}: ${message}`).join(" ");
    throw new Failure("request-invalid", `${name}: ${all}`);
  }
  return value as Static<Schema>;
}

async function readText(context: CommandContext, file: string, name: string): Promise<string> {
  if (file === "-") return await context.host.terminal.readAll();
  return await readFile(file, "utf8").catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Failure("usage", `Cannot read ${name}: ${reason}.`, { cause });
  });
}

/** Shows what a write came to: the thing itself for programs, and a word about what was done for people. */
export function printWritten<View>(
  context: CommandContext,
  { outcome, view }: Written<View>,
  dryRun: boolean,
  what: string,
  show: (view: View) => string,
): void {
  const words = { created: "made", changed: "changed", unchanged: "as it was already" }[outcome];
  const said = dryRun && outcome !== "unchanged" ? `Nothing was done. It would be ${words}` : words;
  if (context.format === "table") context.note(`${what}: ${said}.`);
  context.print(view, () => show(view));
}
