import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bundlePrograms } from "./bundle-programs.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "lc2-bundle-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

test("a program that is named by URL comes along, and is found where the others are", async () => {
  await write({
    "src/main/cli.ts": 'await import(new URL("../other/program.ts", import.meta.url).href);\n',
    "src/other/program.ts": 'import { word } from "../word.ts";\nconsole.log(word);\n',
    "src/word.ts": 'export const word: string = "arrived";\n',
  });
  const { modules } = await bundlePrograms(root, join(root, "lib"));
  expect(modules).toHaveLength(3);
  await rm(join(root, "src"), { recursive: true });
  expect(execFileSync(process.execPath, [join(root, "lib/cli.js")], { encoding: "utf8" })).toBe("arrived\n");
});

test("nothing is made of what the bundler has doubts about, or of a program that it could not follow", async () => {
  await write({ "src/main/cli.ts": 'import "./missing.ts";\n' });
  await expect(bundlePrograms(root, join(root, "lib"))).rejects.toThrow("missing.ts");
  await write({
    "src/main/cli.ts": 'const name = "./x.ts";\nconsole.log(new URL(name, import.meta.url).href);\n',
  });
  await expect(bundlePrograms(root, join(root, "lib"))).rejects.toThrow("import.meta.url in another way");
});
