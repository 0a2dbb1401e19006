/**
 * Reads what `npm run coverage` left in `coverage/` and exits with 1 when a folder has fewer covered lines
 * than `coverage-thresholds.json` asks (percent; only ever raised).
 */
import { readFileSync } from "node:fs";

interface Lines {
  readonly total: number;
  readonly covered: number;
}

const thresholds = readJson("coverage-thresholds.json") as Readonly<Record<string, number>>;
const summary = readJson("../coverage/coverage-summary.json") as Readonly<Record<string, { lines: Lines }>>;
const root = new URL("..", import.meta.url).pathname;

for (const [folder, threshold] of Object.entries(thresholds)) {
  const files = Object.entries(summary)
    .filter(([file]) => file.startsWith(`${root}${folder}/`))
    .map(([file, { lines }]) => ({ file: file.slice(root.length), lines }));
  const covered = files.reduce((sum, { lines }) => sum + lines.covered, 0);
  const total = files.reduce((sum, { lines }) => sum + lines.total, 0);
  const percent = total === 0 ? 0 : (100 * covered) / total;
  const enough = percent >= threshold;
  console.log(
    `${enough ? "ok    " : "FAILED"} coverage of ${folder}: ${percent.toFixed(1)} % of ${String(total)} lines, ` +
      `${String(threshold)} % wanted`,
  );
  if (enough) continue;
  process.exitCode = 1;
  const gaps = files
    .map(({ file, lines }) => ({ file, missing: lines.total - lines.covered }))
    .filter(({ missing }) => missing > 0)
    .toSorted((a, b) => b.missing - a.missing);
  for (const { file, missing } of gaps.slice(0, 20)) console.log(`  ${String(missing)} lines: ${file}`);
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
}
