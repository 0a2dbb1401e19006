import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { thirdPartyLicences } from "./third-party-licences.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "lc2-licences-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** A package with these texts; resolves with a file of it, as the bundler names one. */
async function plant(name: string, license: string | undefined, texts: Readonly<Record<string, string>>) {
  const folder = join(root, "node_modules", name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify({ name, version: "1.2.3", license }));
  for (const [file, text] of Object.entries(texts)) await writeFile(join(folder, file), text);
  return join(folder, "dist/main.js");
}

test("names each package once and each text once, notices too, and nothing of our own", async () => {
  const page = thirdPartyLicences([
    await plant("one", "MIT", { LICENSE: "the text\n" }),
    await plant("one", "MIT", {}),
    await plant("@scope/two", "Apache-2.0", { "LICENSE.md": "the text", NOTICE: "noted" }),
    join(root, "src/own.ts"),
  ]);
  expect(page.match(/^- .*$/gm)).toEqual(["- @scope/two 1.2.3: Apache-2.0", "- one 1.2.3: MIT"]);
  expect(page.match(/^## .*$/gm)).toEqual(["## @scope/two 1.2.3, one 1.2.3", "## @scope/two 1.2.3"]);
  expect(page.match(/the text/g)).toHaveLength(1);
  expect(page).not.toContain("own");
});

test.each([["GPL-3.0-only"], [undefined]])("refuses %s", async (license) => {
  const file = await plant("odd", license, {});
  expect(() => thirdPartyLicences([file])).toThrow(`odd 1.2.3 has the licence ${license ?? "(none)"}`);
});
