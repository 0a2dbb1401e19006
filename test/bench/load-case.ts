/** What a backup with `--max-rate` takes from those who use the database meanwhile. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { BenchCase } from "./bench-case.ts";
import { dataOf, programsOf } from "./database-cases.ts";
import type { Figure } from "./figure.ts";
import { interleave, measure, median } from "./measure.ts";
import { environmentOf, lc2Program, type Source } from "./workbench.ts";

const loadDatabase = "pgbench";
const rates = ["2MB", "5MB"] as const;
const clients = "4";

export const loadCases: readonly BenchCase[] = [
  {
    name: "load",
    title: "A transaction load during a gentle backup",
    run: async (bench) => {
      const source = await bench.source();
      const env = environmentOf(source);
      const pgbench = join(source.tools, "pgbench");
      const scratch = await bench.scratch("load");
      const full = bench.scale === "full";
      const secondsEach = full ? 30 : 4;
      await source.server.query(`DROP DATABASE IF EXISTS ${loadDatabase}`);
      await source.server.query(`CREATE DATABASE ${loadDatabase}`);
      await measure([pgbench, "--initialize", "--quiet", "--scale", full ? "20" : "2", loadDatabase], {
        env,
      });

      const load = async (): Promise<number> => {
        const { stdout } = await measure(
          [
            pgbench,
            "--client",
            clients,
            "--jobs",
            "1",
            "--time",
            String(secondsEach),
            "--no-vacuum",
            loadDatabase,
          ],
          { env },
        );
        const rate = /tps = ([\d.]+)/.exec(stdout)?.[1];
        if (rate === undefined) throw new Error(`pgbench said no rate: ${stdout}`);
        return Number(rate);
      };
      const loadBeside = (rate: string) => async (): Promise<number> => {
        await using backup = await startBackup(source, scratch, rate);
        const result = await load();
        if (full && backup.hasEnded()) throw new Error("the backup ended before the load did");
        return result;
      };
      await load(); // the first one finds nothing in the cache
      const results = await interleave(
        bench.rounds,
        { alone: load, "2MB": loadBeside("2MB"), "5MB": loadBeside("5MB") },
        {
          before: async () => void (await source.server.query("VACUUM", loadDatabase)),
          onResult: (name, round, rate) => bench.log(`${name} ${round + 1}: ${rate.toFixed(0)} tps`),
        },
      );
      await source.server.query(`DROP DATABASE ${loadDatabase}`);
      const figures = rates.map((rate): Figure => {
        const less = (1 - median(results[rate]) / median(results.alone)) * 100;
        return {
          what: `load during \`lc2 backup create --max-rate ${rate}\``,
          ours: show(results[rate]),
          against: show(results.alone),
          result: `${Math.abs(less).toFixed(1)} % ${less < 0 ? "more" : "less"}`,
          goal: "≤ 5 % less",
          met: less <= 5,
        };
      });
      return {
        data: `pgbench's own (scale ${full ? 20 : 2}) in one database, and beside it on the same server ${await dataOf(bench)}`,
        programs: [
          ...programsOf(source),
          `pgbench ${source.version}, ${clients} clients, as fast as they can, ${secondsEach} s a run`,
        ],
        figures,
        notes: [
          "The load begins when the backup reads rows, so its start-up is not in it, and ends before it; the backup is interrupted then.",
          "Runs of the load alone differ by more than the goal: a difference of a few percent, either way, says nothing.",
          "Client, server and backup share the machine's processors, which the load uses up; with the server elsewhere only its share counts, about half.",
        ],
      };
    },
  },
];

const show = (loads: readonly number[]): string =>
  `${median(loads).toFixed(0)} (${Math.min(...loads).toFixed(0)}–${Math.max(...loads).toFixed(0)}) transactions/s`;

interface RunningBackup extends AsyncDisposable {
  hasEnded(): boolean;
}

/** Resolves when it reads rows; disposing of it interrupts it. */
async function startBackup(source: Source, scratch: string, rate: string): Promise<RunningBackup> {
  const [repository, dataDirectory] = [join(scratch, "repository"), join(scratch, "data")];
  await mkdir(dataDirectory, { recursive: true });
  const what = ["--database", source.server.urlOf(source.database), "--repository", repository];
  const child = spawn(
    lc2Program,
    ["backup", "create", ...what, "--streams", "1", "--max-rate", rate, "-o", "name"],
    {
      env: { ...process.env, ...environmentOf(source), LC2_DATA_DIR: dataDirectory },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-4_000)));
  const ended = once(child, "close");
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  while ((await source.server.query("SELECT 1 FROM pg_stat_progress_copy")).length === 0) {
    if (hasEnded()) throw new Error(`the backup ended before it read a row: ${said}`);
    await pause(50);
  }
  return {
    hasEnded,
    async [Symbol.asyncDispose]() {
      child.kill("SIGINT");
      await ended;
      await rm(repository, { recursive: true, force: true });
    },
  };
}
