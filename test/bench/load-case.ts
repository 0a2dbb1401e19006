/** What a backup with `--max-rate` takes from those who use the database meanwhile. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { BenchCase } from "./bench-case.ts";
import { createBackup, dataOf, programsOf } from "./database-cases.ts";
import { interleave, measure, median } from "./measure.ts";
import { environmentOf } from "./workbench.ts";

const loadDatabase = "pgbench";
const maxRate = "5MB";
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
      const secondsEach = full ? 60 : 4;
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
      /** Ends with the load, not with the backup: at this rate a whole one takes longer. */
      const loadWithBackup = async (round: number): Promise<number> => {
        const repository = join(scratch, `repository-${round}`);
        const dataDirectory = join(scratch, "data");
        const backup = createBackup(source, dataDirectory, repository, [
          "--streams",
          "1",
          "--max-rate",
          maxRate,
        ]);
        let backupEnded = false;
        const watched = backup.finally(() => {
          backupEnded = true;
        });
        watched.catch(() => undefined);
        const rate = await load();
        if (backupEnded && full)
          throw new Error("the backup ended before the load did: more data or a lower rate");
        await watched;
        await rm(repository, { recursive: true, force: true });
        return rate;
      };
      await load(); // the first one finds nothing in the cache
      const results = await interleave(
        bench.rounds,
        { alone: load, withBackup: loadWithBackup },
        { onResult: (name, round, rate) => bench.log(`${name} ${round + 1}: ${rate.toFixed(0)} tps`) },
      );
      await source.server.query(`DROP DATABASE ${loadDatabase}`);
      const [alone, withBackup] = [median(results.alone), median(results.withBackup)];
      const less = (1 - withBackup / alone) * 100;
      const show = (rates: readonly number[]) =>
        `${median(rates).toFixed(0)} (${Math.min(...rates).toFixed(0)}–${Math.max(...rates).toFixed(0)}) transactions/s`;
      return {
        data: `pgbench's own (scale ${full ? 20 : 2}) in one database, and beside it on the same server ${await dataOf(bench)}`,
        programs: [
          ...programsOf(source),
          `pgbench ${source.version}, ${clients} clients, as fast as they can, ${secondsEach} s a run`,
        ],
        figures: [
          {
            what: `load during \`lc2 backup create --max-rate ${maxRate}\``,
            ours: show(results.withBackup),
            against: show(results.alone),
            result: `${less.toFixed(1)} % less`,
            goal: "≤ 5 % less",
            met: less <= 5,
          },
        ],
        notes: [
          "The backup starts with the load (its own start-up falls into the measured time) and goes on until after its end.",
          "Client, server and backup share the machine's processors; with the server elsewhere only its share counts.",
        ],
      };
    },
  },
];
