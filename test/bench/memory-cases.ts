/** Ceilings of memory on synthetic data that no disk needs to hold. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { workerMemoryVariables, workerNodeOptions } from "../../src/main/worker-memory.ts";
import type { BenchCase } from "./bench-case.ts";
import { openBucketBench } from "./bucket-bench.ts";
import { memoryFigure } from "./figure.ts";
import { measure } from "./measure.ts";
import type { Workbench } from "./workbench.ts";

const program = (name: string) => fileURLToPath(new URL(`../support/${name}.ts`, import.meta.url));

/** As a worker is started: with its own limits. */
const runAsWorker = (name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  measure([process.execPath, ...workerNodeOptions, program(name), ...args], {
    env: { ...workerMemoryVariables, ...env },
  });

/** The made-up bucket, in a process that is not measured. */
async function startSyntheticBucket(smallObjects: number, largeBytes: number) {
  const args = [program("synthetic-bucket-server"), String(smallObjects), String(largeBytes)];
  const server = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = (await once(server.stdout, "data")) as [Buffer];
  const end = async (): Promise<void> => {
    const exited = once(server, "exit");
    server.stdin.end();
    await exited;
  };
  return { endpoint: line.toString().trim(), [Symbol.asyncDispose]: end };
}

const anyCredentials = { AWS_ACCESS_KEY_ID: "any", AWS_SECRET_ACCESS_KEY: "any" };

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
  {
    name: "memory-bucket-list",
    title: "Memory: a bucket of millions of objects",
    judgedAtAnyScale: true,
    run: async (bench: Workbench) => {
      const objects = bench.scale === "full" ? 5_000_000 : 100_000;
      const repository = join(await bench.scratch("bucket-list"), "repository");
      await using server = await startSyntheticBucket(objects, 0);
      const { stdout, ...measured } = await runAsWorker(
        "bucket-memory-program",
        [server.endpoint, repository, String(objects)],
        anyCredentials,
      );
      const { newObjects } = JSON.parse(stdout) as { newObjects: number };
      if (newObjects !== 0) throw new Error(`unexpected result: ${stdout}`);
      return {
        data: `a made-up bucket of ${objects.toLocaleString("en")} objects, listed over HTTP, 1,000 a page`,
        programs: ["the worker's code for buckets (`openBucketSource`, `backUpFiles`), into a folder"],
        figures: [
          memoryFigure(
            `${objects.toLocaleString("en")} keys stored once, then listed over HTTP and joined with the backup before`,
            [measured.peakBytes],
          ),
        ],
        notes: [`${measured.seconds.toFixed(0)} s for both backups.`],
      };
    },
  },
  {
    name: "memory-bucket-object",
    title: "Memory: one very large object, from a bucket into a bucket",
    judgedAtAnyScale: true,
    run: async (bench: Workbench) => {
      const gibibytes = bench.scale === "full" ? 100 : 2;
      await using server = await startSyntheticBucket(0, gibibytes * 2 ** 30);
      await using s3 = await openBucketBench();
      await s3.create("repository");
      const { stdout, ...measured } = await runAsWorker(
        "bucket-memory-program",
        [server.endpoint, s3.urlOf("repository"), "0", String(gibibytes * 2 ** 30)],
        s3.environment,
      );
      const { storedBytes, sourceBytes } = JSON.parse(stdout) as { storedBytes: number; sourceBytes: number };
      if (sourceBytes !== gibibytes * 2 ** 30) throw new Error(`unexpected result: ${stdout}`);
      return {
        data: `a made-up object of ${gibibytes} GiB of text that compresses well, read in ranges over HTTP`,
        programs: ["the worker's code for buckets on both sides", ...s3.programs.slice(2)],
        figures: [
          memoryFigure(
            `${gibibytes} GiB read from a bucket, compressed, encrypted, and written to a bucket (${(storedBytes / 1e9).toFixed(2)} GB)`,
            [measured.peakBytes],
          ),
        ],
        notes: [`${measured.seconds.toFixed(0)} s.`],
      };
    },
  },
];
