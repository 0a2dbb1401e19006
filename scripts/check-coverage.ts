/**
 * Judges what `npm run coverage` left in `coverage/`: exits with 1 when a folder has fewer covered lines than
 * `coverage-thresholds.json` asks (percent; only ever raised), and names the lines without a test.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { countLines, type IstanbulFile, type V8Script } from "./line-coverage.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const reports = readJson(`${root}coverage/coverage-final.json`) as Readonly<Record<string, IstanbulFile>>;
const thresholds = readJson(`${root}scripts/coverage-thresholds.json`) as Readonly<Record<string, number>>;
const runs = readProgramRuns(`${root}coverage/programs`);

const files = Object.entries(reports).map(([path, report]) => ({
  path: path.slice(root.length),
  ...countLines(readFileSync(path, "utf8"), report, runs.get(pathToFileURL(path).href) ?? []),
}));

for (const [folder, threshold] of Object.entries(thresholds)) {
  const inside = files.filter(({ path }) => path.startsWith(`${folder}/`));
  const total = inside.reduce((sum, file) => sum + file.total, 0);
  const covered = inside.reduce((sum, file) => sum + file.covered, 0);
  const percent = total === 0 ? 0 : (100 * covered) / total;
  const enough = percent >= threshold;
  console.log(
    `${enough ? "ok    " : "FAILED"} coverage of ${folder}: ${percent.toFixed(1)} % of ${String(total)} lines ` +
      `(${String(threshold)} % wanted)`,
  );
  if (enough) continue;
  process.exitCode = 1;
  const gaps = inside.filter(({ missing }) => missing.length > 0);
  for (const { path, missing } of gaps.toSorted((a, b) => b.missing.length - a.missing.length).slice(0, 20)) {
    console.log(`  ${path}: ${String(missing.length)} lines (${missing.slice(0, 10).join(", ")} …)`);
  }
}

/** What each program that a test started ran of our sources, by the file's URL. */
function readProgramRuns(folder: string): ReadonlyMap<string, readonly V8Script[]> {
  const found = new Map<string, V8Script[]>();
  const source = pathToFileURL(`${root}src/`).href;
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    let report: { result: readonly (V8Script & { url: string })[] };
    try {
      report = readJson(`${folder}/${name}`) as typeof report;
    } catch {
      continue; // The program was killed while it wrote.
    }
    for (const script of report.result) {
      if (!script.url.startsWith(source)) continue;
      found.set(script.url, [...(found.get(script.url) ?? []), { functions: script.functions }]);
    }
  }
  return found;
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}
