/** How long a person waits for a list and for help. */
import { join } from "node:path";
import type { BenchCase } from "./bench-case.ts";
import { backupsInCatalog, fillSqliteCatalog } from "./fill-catalog.ts";
import { seconds, type Figure } from "./figure.ts";
import { interleave, measure, median, secondsOf } from "./measure.ts";
import { lc2, lc2Text, type Workbench } from "./workbench.ts";

export const catalogCases: readonly BenchCase[] = [
  {
    name: "catalog",
    title: "Waiting for the command line",
    judgedAtAnyScale: true,
    run: async (bench: Workbench) => {
      const dataDirectory = await bench.scratch("catalog");
      await fillSqliteCatalog(join(dataDirectory, "catalog.db"));
      const results = await interleave(Math.max(5, bench.rounds), {
        list: () => lc2(dataDirectory, ["backup", "list"]),
        filtered: () =>
          lc2(dataDirectory, [
            "backup",
            "list",
            "--project",
            "shop-3",
            "--status",
            "completed",
            "-o",
            "json",
          ]),
        help: () => lc2(dataDirectory, ["--help"]),
        node: () => measure([process.execPath, "--eval", "0"]),
      });
      const listed = JSON.parse(results.filtered[0]?.stdout ?? "{}") as { total?: number };
      if (listed.total !== backupsInCatalog / 10)
        throw new Error(`${listed.total} backups were found instead of ${backupsInCatalog / 10}`);
      const node = secondsOf(results.node);
      const figure = (what: string, measured: readonly number[], atMost: number): Figure => ({
        what,
        ours: seconds(measured),
        against: seconds(node),
        result: `${median(measured).toFixed(3)} s`,
        goal: `< ${atMost} s`,
        met: median(measured) < atMost,
      });
      return {
        data: `a catalog (SQLite) with ${backupsInCatalog.toLocaleString("en")} sealed backups of 10 projects`,
        programs: [
          `${lc2Text}, from the shell script to its end; against a Node ${process.version} that does nothing`,
        ],
        figures: [
          figure("`lc2 backup list` (the newest 50)", secondsOf(results.list), 0.5),
          figure(
            "`lc2 backup list --project … --status completed -o json`",
            secondsOf(results.filtered),
            0.5,
          ),
          figure("`lc2 --help`", secondsOf(results.help), 0.25),
        ],
        notes: ["Medians; compiled code is cached, as after the first start."],
      };
    },
  },
];
