import { flag, value } from "../command.ts";
import { text } from "../option-values.ts";

/** What commands that make definitions have in common. */
export const definitionOptions = {
  file: value(
    "-f, --file <file>",
    "take it from this file, YAML or JSON in the shape of the REST interface; -: standard input; options win",
    text,
    { complete: "file" },
  ),
  replace: flag("--replace", "where one of this name is there already, replace it"),
  dryRun: flag("--dry-run", "check it and say what would be done, do nothing"),
};

export const removalDryRun = flag("--dry-run", "say what would be forgotten, forget nothing");

/** `value`s that are not undefined. */
export function given<T extends object>(values: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Key in keyof T]?: Exclude<T[Key], undefined> };
}

/** What a list of definitions is asked for. */
export const listQuery = (written: {
  readonly project: string | undefined;
  readonly limit: number;
  readonly offset: number;
}) => ({ ...given({ projectId: written.project }), limit: written.limit, offset: written.offset });
