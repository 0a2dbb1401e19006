import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";

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
  const expected = await format(content, { ...(await resolveConfig(file)), filepath: file });
  const present = await readFile(file, "utf8").catch(() => undefined);
  if (present === expected) return "in-step";
  if (mode === "check") return "out-of-step";
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, expected);
  return "written";
}
