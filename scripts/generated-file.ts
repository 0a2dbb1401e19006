import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { format, type FormatConfig } from "oxfmt";

const style = JSON.parse(
  await readFile(fileURLToPath(new URL("../.oxfmtrc.json", import.meta.url)), "utf8"),
) as FormatConfig;

/**
 * Makes a generated file what it should be, formatted as the rest of the tree is.
 *
 * @param path below the root of the checkout
 * @param mode `check` writes nothing and answers `out-of-step` where `write` would write
 */
export async function bringInStep(
  path: string,
  content: string,
  mode: "check" | "write",
): Promise<"in-step" | "written" | "out-of-step"> {
  const file = fileURLToPath(new URL(`../${path}`, import.meta.url));
  const { code: expected, errors } = await format(file, content, style);
  if (errors[0] !== undefined) throw new Error(`${path}: ${errors[0].message}`);
  const present = await readFile(file, "utf8").catch(() => undefined);
  if (present === expected) return "in-step";
  if (mode === "check") return "out-of-step";
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, expected);
  return "written";
}
