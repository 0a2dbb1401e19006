/** Ceilings of memory on synthetic data that no disk needs to hold. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { workerMemoryVariables, workerNodeOptions } from "../../src/main/worker-memory.ts";
import type { BenchCase } from "./bench-case.ts";
import { memoryFigure } from "./figure.ts";
import { measure } from "./measure.ts";
import type { Workbench } from "./workbench.ts";

const program = (name: string) => fileURLToPath(new URL(`../support/${name}.ts`, import.meta.url));

/** As a worker is started: with its own limits. */
const runAsWorker = (name: string, args: readonly string[]) =>
  measure([process.execPath, ...workerNodeOptions, program(name), ...args], { env: workerMemoryVariables });

export const memoryCases: readonly BenchCase[] = [
  {
    name: "memory-stream",
    title: "Memory: one long stream",
    judgedAtAnyScale: true,
    run: async (bench: Workbench) => {
      const gibibytes = bench.scale === "full" ? 100 : 4;
      const folder = join(await bench.scratch("stream"), "repository");
      const { stdout, ...measured } = await runAsWorker("stream-memory-program", [
        folder,
        String(gibibytes * 2 ** 30),
      ]);
      const { storedBytes } = JSON.parse(stdout) as { storedBytes: number };
      return {
        data: `a stream of ${gibibytes} GiB of text that compresses well (${(storedBytes / 1e9).toFixed(2)} GB stored), no two pieces alike`,
        programs: ["the worker's code for stored files and folders (`createStoredFile`, `readStoredFile`)"],
        figures: [
          memoryFigure(
            `${gibibytes} GiB compressed, encrypted, hashed, stored, and read back with every check`,
            [measured.peakBytes],
          ),
        ],
        notes: [`${measured.seconds.toFixed(0)} s for both ways.`],
      };
    },
  },
  {
    name: "memory-files",
    title: "Memory: millions of files",
    judgedAtAnyScale: true,
    run: async (bench: Workbench) => {
      const files = bench.scale === "full" ? 5_000_000 : 100_000;
      const folder = join(await bench.scratch("many-files"), "repository");
      const { stdout, ...measured } = await runAsWorker("files-memory-program", [folder, String(files), "0"]);
      const { objects, newObjects } = JSON.parse(stdout) as {
        objects: number;
        newObjects: readonly number[];
      };
      if (objects !== files + 1 || newObjects[1] !== 0) throw new Error(`unexpected result: ${stdout}`);
      return {
        data: `a made-up source of ${files.toLocaleString("en")} files of 200 bytes`,
        programs: ["the worker's code for files (`backupFilesFrom`), into a folder"],
        figures: [
          memoryFigure(`${files.toLocaleString("en")} files stored, then backed up again unchanged`, [
            measured.peakBytes,
          ]),
        ],
        notes: [`${measured.seconds.toFixed(0)} s for both backups.`],
      };
    },
  },
];
