/** Puts results into `docs/reference/performance.md`, between its two markers. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { toMarkdown, type CaseReport } from "./figure.ts";
import { onPaper } from "./on-paper.ts";

const page = fileURLToPath(new URL("../../docs/reference/performance.md", import.meta.url));
const results = fileURLToPath(new URL("./results.json", import.meta.url));
const formatter = fileURLToPath(new URL("../../node_modules/.bin/oxfmt", import.meta.url));
const begin = "<!-- results: written by `npm run bench -- --write` -->";
const end = "<!-- end of results -->";

/** Cases that were not run keep their last results, which `results.json` holds. */
export function writePage(reports: readonly CaseReport[]): void {
  const earlier = existsSync(results) ? (JSON.parse(readFileSync(results, "utf8")) as CaseReport[]) : [];
  const kept = earlier.filter((one) => !reports.some((report) => report.name === one.name));
  const all = [...kept, ...reports].sort((a, b) => order(a) - order(b));
  writeFileSync(results, `${JSON.stringify(all, undefined, 2)}\n`);
  const text = readFileSync(page, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has lost its markers`);
  const machines = [...new Set(all.map((report) => report.machine))].join("; ");
  const paper = onPaper(all);
  const sections = [...all.map(toMarkdown), ...(paper === undefined ? [] : [paper])];
  const body = `\nMachine: ${machines}.\n\n${sections.join("\n")}\n`;
  writeFileSync(page, text.slice(0, from + begin.length) + "\n" + body + text.slice(to));
  execFileSync(formatter, [page, results], { stdio: ["ignore", "ignore", "inherit"] });
}

const sequence = ["database", "load", "files", "buckets", "memory", "catalog", "start"];
const order = (report: CaseReport): number => {
  const index = sequence.findIndex((prefix) => report.name.startsWith(prefix));
  return index < 0 ? sequence.length : index;
};
