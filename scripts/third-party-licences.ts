import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface PackageDescription {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

/** What may be given on inside a program under the Apache License, with its text. */
const fitting = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "MIT-0",
]);

/**
 * The page that goes with a bundle: each package whose code is in it, and every text of a licence or notice
 * once, under the packages that have it. Throws where a licence is not known to fit.
 *
 * @param modules files, as the bundler names them
 */
export function thirdPartyLicences(modules: readonly string[]): string {
  const folders = [...new Set(modules.flatMap(packageFolder))].toSorted();
  const packages = folders.map(describePackage);
  const texts = Map.groupBy(
    packages.flatMap(({ title, texts }) => texts.map((text) => ({ title, text }))),
    ({ text }) => text,
  );
  return [
    "# Third-party licences",
    "",
    "LC2 contains code of these packages:",
    "",
    ...packages.map(({ title, license }) => `- ${title}: ${license}`),
    ...[...texts].flatMap(([text, owners]) => [
      "",
      `## ${owners.map(({ title }) => title).join(", ")}`,
      "",
      "```text",
      text,
      "```",
    ]),
    "",
  ].join("\n");
}

/** `…/node_modules/@scope/name` of a file in it; none for a file of our own. */
function packageFolder(module: string): string[] {
  const found = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(module);
  return found === null ? [] : [found[0]];
}

function describePackage(folder: string): { title: string; license: string; texts: string[] } {
  const { name, version, license } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  ) as PackageDescription;
  const title = `${name} ${version}`;
  if (license === undefined || !fitting.has(license)) {
    throw new Error(`${title} has the licence ${license ?? "(none)"}, which is not known to fit.`);
  }
  const files = readdirSync(folder).filter((file) => /^(?:licen[cs]e|notice)(?:\.|$)/i.test(file));
  return { title, license, texts: files.map((file) => readFileSync(join(folder, file), "utf8").trim()) };
}
