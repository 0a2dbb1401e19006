/**
 * `npm run simulate`: years of schedules on two servers that die, and whether every slot was accounted for.
 *
 *     npm run simulate -- [--seeds 200] [--seed N] [--days 365] [--projects 50]
 *
 * `--seed` repeats one year. Exit code 1 when something is wrong; its seed is named.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { simulateYear, type YearOptions, type YearResult } from "./simulate-year.ts";

interface Share {
  readonly seeds: readonly number[];
  readonly options: YearOptions;
}

if (isMainThread) await main();
else {
  const { seeds, options } = workerData as Share;
  for (const seed of seeds) parentPort?.postMessage(await simulateYear(seed, options), []);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "200" },
      seed: { type: "string" },
      days: { type: "string", default: "365" },
      projects: { type: "string", default: "50" },
    },
  });
  const options = { days: Number(values.days), projects: Number(values.projects) };
  const count = Number(values.seeds);
  const seeds =
    values.seed === undefined
      ? Array.from({ length: count }, (_, index) => index + 1)
      : [Number(values.seed)];
  if (![...seeds, options.days, options.projects, count].every((one) => Number.isInteger(one) && one >= 1)) {
    process.stderr.write("npm run simulate -- [--seeds N] [--seed N] [--days N] [--projects N]\n");
    process.exitCode = 2;
    return;
  }
  const results = await simulateAll(seeds, options);
  const slots = results.reduce((sum, each) => sum + each.slots, 0);
  const violations = results.reduce((sum, each) => sum + each.violations.length, 0);
  process.stdout.write(`${results.length} seeds, ${slots} slots accounted for, ${violations} violations\n`);
  if (violations > 0) process.exitCode = 1;
}

/** Seeds are dealt out to as many threads as there are cores. */
async function simulateAll(seeds: readonly number[], options: YearOptions): Promise<YearResult[]> {
  const threads = Math.min(availableParallelism(), seeds.length);
  const results: YearResult[] = [];
  const shares = Array.from({ length: threads }, (_, thread) =>
    seeds.filter((_seed, index) => index % threads === thread),
  );
  const take = (result: YearResult): void => {
    results.push(result);
    tell(result, results.length, seeds.length);
  };
  await Promise.all(shares.map(async (share) => await runShare({ seeds: share, options }, take)));
  return results;
}

async function runShare(share: Share, take: (result: YearResult) => void): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: share });
  worker.on("message", take);
  await new Promise<void>((resolve, reject) => {
    worker.once("error", reject);
    worker.once("exit", () => resolve());
  });
}

function tell({ seed, slots, ran, violations }: YearResult, done: number, all: number): void {
  if (violations.length === 0) {
    if (done % 10 === 0 || all < 10)
      process.stdout.write(`${done}/${all}: seed ${seed}, ${slots} slots, ${ran} ran\n`);
    return;
  }
  const shown = violations.slice(0, 20).map((violation) => `  ${violation}\n`);
  process.stdout.write(
    `seed ${seed}: ${violations.length} violations\n${shown.join("")}  again: npm run simulate -- --seed ${seed}\n`,
  );
}
