/**
 * `npm run bench`: the figures of `docs/reference/performance.md`.
 *
 *     npm run bench -- [case…] [--scale small|full] [--rounds N] [--data FOLDER] [--json FILE] [--write]
 *
 * `small` (the default) takes a minute or two and shows that everything works; goals are judged at `full`,
 * which makes a few gigabytes of data. `--data` keeps the data for the next run. `--write` puts the results
 * into the page. LC2_BENCH_PROGRAM names another `lc2` than this checkout's: that of the installed package.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { BenchCase } from "./bench-case.ts";
import { bucketCases } from "./bucket-cases.ts";
import { catalogCases } from "./catalog-cases.ts";
import { databaseCases } from "./database-cases.ts";
import { showReport, type CaseReport, type Figure, type Scale } from "./figure.ts";
import { filesCases } from "./files-cases.ts";
import { loadCases } from "./load-case.ts";
import { memoryCases } from "./memory-cases.ts";
import { writePage } from "./performance-page.ts";
import { serverCases } from "./server-cases.ts";
import { Workbench } from "./workbench.ts";

const allCases: readonly BenchCase[] = [
  ...databaseCases,
  ...loadCases,
  ...filesCases,
  ...bucketCases,
  ...memoryCases,
  ...catalogCases,
  ...serverCases,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    scale: { type: "string", default: "small" },
    rounds: { type: "string" },
    data: { type: "string" },
    json: { type: "string" },
    write: { type: "boolean", default: false },
  },
});

async function main(): Promise<void> {
  const scale: Scale | undefined =
    values.scale === "small" || values.scale === "full" ? values.scale : undefined;
  const rounds = Number(values.rounds ?? (scale === "full" ? 5 : 2));
  const unknown = positionals.filter((name) => !allCases.some((one) => one.name === name));
  if (scale === undefined || !(rounds >= 1) || unknown.length > 0) {
    process.stderr.write(
      (unknown.length > 0 ? `no such case: ${unknown.join(", ")}\n` : "") +
        "npm run bench -- [case…] [--scale small|full] [--rounds N] [--data FOLDER] [--json FILE] [--write]\n" +
        `cases: ${allCases.map((one) => one.name).join(", ")}\n`,
    );
    process.exitCode = 2;
    return;
  }
  const chosen = allCases.filter((one) => positionals.length === 0 || positionals.includes(one.name));
  const kept = values.data === undefined ? undefined : resolve(values.data);
  if (kept !== undefined) mkdirSync(kept, { recursive: true });
  const folder = kept ?? mkdtempSync(join(tmpdir(), "lc2-bench-"));
  const reports = await runAll(chosen, { scale, rounds: Math.floor(rounds), folder }, kept === undefined);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(reports, undefined, 2)}\n`);
  if (values.write) writePage(reports);
}

async function runAll(
  chosen: readonly BenchCase[],
  options: { scale: Scale; rounds: number; folder: string },
  temporary: boolean,
): Promise<CaseReport[]> {
  const log = (line: string) => process.stderr.write(`  ${line}\n`);
  const bench = new Workbench({ ...options, log });
  // Servers die with this process; the data must not stay either.
  const leave = () => process.exit(130);
  process.once("SIGINT", leave).once("SIGTERM", leave);
  process.once("exit", () => {
    if (temporary) rmSync(options.folder, { recursive: true, force: true });
  });
  const reports: CaseReport[] = [];
  try {
    for (const one of chosen) {
      process.stderr.write(`${one.name}\n`);
      const report = await runCase(one, bench);
      reports.push(report);
      process.stdout.write(`${showReport(report)}\n`);
    }
  } finally {
    await bench[Symbol.asyncDispose]();
  }
  const judged = reports.flatMap((report) => report.figures).filter((figure) => figure.met !== undefined);
  const missed = judged.filter((figure) => figure.met === false).length;
  process.stdout.write(`${judged.length - missed} goals met, ${missed} missed\n`);
  return reports;
}

async function runCase(one: BenchCase, bench: Workbench): Promise<CaseReport> {
  const at = new Date().toISOString();
  const before = load();
  const found = await one.run(bench);
  const judged = bench.scale === "full" || one.judgedAtAnyScale === true;
  return {
    name: one.name,
    title: one.title,
    scale: bench.scale,
    rounds: bench.rounds,
    at,
    revision: revision(),
    machine: machine(),
    load: [before, load()],
    ...found,
    figures: judged ? found.figures : found.figures.map(withoutVerdict),
  };
}

function withoutVerdict(figure: Figure): Figure {
  const { what, ours, against, result, goal } = figure;
  return { what, ours, against, result, goal };
}

function load(): number {
  return Math.round((loadavg()[0] ?? 0) * 10) / 10;
}

function machine(): string {
  const processors = cpus();
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  return `${processors.length} × ${processors[0]?.model.trim() ?? "unknown processor"}, ${gibibytes} GiB memory, ${process.platform} ${process.arch}, Node ${process.version}`;
}

function revision(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}

await main();
