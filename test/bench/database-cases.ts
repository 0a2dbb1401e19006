/** A database backed up and restored, against PostgreSQL's own tools of the same major. */
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BenchCase } from "./bench-case.ts";
import { megabytes, memoryFigure, ratioFigure, seconds, type CaseReport, type Figure } from "./figure.ts";
import { interleave, measure, median, secondsOf, type Measurement } from "./measure.ts";
import { sizeOfFolder } from "./folders.ts";
import { environmentOf, lc2, lc2Text, type Source, type Workbench } from "./workbench.ts";

export const databaseCases: readonly BenchCase[] = [
  { name: "database-backup", title: "Backup of a database", run: (bench) => compareBackups(bench, 1) },
  {
    name: "database-backup-streams",
    title: "Backup of a database in two streams",
    run: (bench) => compareBackups(bench, 2),
  },
  { name: "database-restore", title: "Restore of a database", run: compareRestores },
];

type Outcome = Pick<CaseReport, "data" | "programs" | "figures" | "notes">;
type Sized = Measurement & { readonly sizeBytes: number };

export async function dataOf(bench: Workbench): Promise<string> {
  const { databaseBytes, version } = await bench.source();
  return (
    `a CMS-like database, PostgreSQL ${version}, ${megabytes(databaseBytes)} on disk with indexes: articles of real ` +
    "text in several versions, JSON documents, millions of small rows, random bytes in tables and large objects " +
    "(`demo/dataset.ts`); the server without fsync, on the same machine"
  );
}

export const programsOf = (source: Source): string[] => [
  `${lc2Text}, everything from its start to its end`,
  `pg_dump, pg_restore ${source.version}`,
];

async function compareBackups(bench: Workbench, streams: number): Promise<Outcome> {
  const source = await bench.source();
  const scratch = await bench.scratch("database-backup");
  const env = environmentOf(source);
  const data = await dataOf(bench);

  const dump = async (file: string, ...options: string[]): Promise<Sized> => {
    const path = join(scratch, file);
    const program = join(source.tools, "pg_dump");
    const target = file === "/dev/null" ? [] : ["--file", path];
    const measured = await measure([program, "--format=custom", ...options, ...target, source.database], {
      env,
      lowPriority: true,
      ...(file === "/dev/null" ? { output: file } : {}),
    });
    const sizeBytes = file === "/dev/null" ? 0 : (await stat(path)).size;
    await rm(path, { force: true });
    return { ...measured, sizeBytes };
  };
  const ours = async (): Promise<Sized> => {
    const repository = join(scratch, "repository");
    const measured = await createBackup(source, join(scratch, "data"), repository, [
      "--streams",
      String(streams),
    ]);
    const sizeBytes = sizeOfFolder(repository);
    await rm(repository, { recursive: true });
    return { ...measured, sizeBytes };
  };
  await dump("/dev/null", "--compress=0"); // rows into the cache; the first of several would pay alone
  const results = await interleave(
    bench.rounds,
    {
      ours,
      limit: () => dump("/dev/null", "--compress=0"),
      gzip: () => dump("gzip.dump"),
      zstd: () => dump("zstd.dump", "--compress=zstd:1"),
    },
    { onResult: (name, round, one) => bench.log(`${name} ${round + 1}: ${one.seconds.toFixed(2)} s`) },
  );
  const time = secondsOf(results.ours);
  const sizes = (list: readonly Sized[]) => list.map((one) => one.sizeBytes);
  const compare = (
    what: string,
    other: readonly Sized[],
    goal: { atMost: number; moonshot?: number },
  ): Figure => ratioFigure(`time against ${what}`, time, secondsOf(other), seconds, goal);
  const compareSizes = (
    what: string,
    other: readonly Sized[],
    goal: { atMost: number; moonshot?: number },
  ): Figure =>
    ratioFigure(
      `size against ${what}`,
      sizes(results.ours),
      sizes(other),
      (list) => megabytes(median(list)),
      goal,
    );
  return {
    data,
    programs: programsOf(source),
    figures: [
      compare("`pg_dump -Fc`", results.gzip, { atMost: 0.33, moonshot: 0.27 }),
      compareSizes("`pg_dump -Fc`", results.gzip, { atMost: 0.82, moonshot: 0.75 }),
      compare("`pg_dump -Fc -Z0 > /dev/null`, the source's own limit", results.limit, {
        atMost: 1.2,
        moonshot: 1.08,
      }),
      compare("`pg_dump -Fc --compress=zstd:1`", results.zstd, { atMost: 1.2 }),
      compareSizes("`pg_dump -Fc --compress=zstd:1`", results.zstd, { atMost: 1 }),
      memoryFigure(
        "lc2, its worker and pg_dump, the largest of them",
        results.ours.map((one) => one.peakBytes),
      ),
    ],
    notes: [
      `LC2: ${streams === 1 ? "one stream" : `${streams} streams`}; read, rows counted, compressed, encrypted, hashed, written to a ` +
        "folder and synced, sealed; its size is that of the whole repository. The peers neither encrypt nor count.",
      "All run with the low priority (nice 10) that LC2 gives its backup workers.",
      `CPU seconds, median: LC2 with pg_dump ${cpu(results.ours)}, pg_dump -Fc ${cpu(results.gzip)}, -Z0 ${cpu(results.limit)}, zstd:1 ${cpu(results.zstd)}.`,
    ],
  };
}

async function compareRestores(bench: Workbench): Promise<Outcome> {
  const source = await bench.source();
  const { server } = source;
  const scratch = await bench.scratch("database-restore");
  const env = environmentOf(source);
  const jobs = "2";
  const data = await dataOf(bench);
  const dumpFile = join(scratch, "gzip.dump");
  await measure([join(source.tools, "pg_dump"), "--format=custom", "--file", dumpFile, source.database], {
    env,
  });
  const dataDirectory = join(scratch, "data");
  const { stdout } = await createBackup(source, dataDirectory, join(scratch, "repository"), [
    "--streams",
    jobs,
  ]);
  const backupId = stdout.trim();

  const intoEmpty = async (restore: (database: string) => Promise<Measurement>): Promise<Measurement> => {
    await server.query("CREATE DATABASE restored");
    await server.query("CHECKPOINT");
    try {
      return await restore("restored");
    } finally {
      await server.query("DROP DATABASE restored WITH (FORCE)");
    }
  };
  const results = await interleave(
    bench.rounds,
    {
      ours: () =>
        intoEmpty((database) =>
          lc2(
            dataDirectory,
            [
              "restore",
              "create",
              "--from",
              backupId,
              "--database",
              server.urlOf(database),
              "--into",
              "empty",
              "--jobs",
              jobs,
              "--yes",
              "-o",
              "name",
            ],
            { env },
          ),
        ),
      restore: () =>
        intoEmpty((database) =>
          measure([join(source.tools, "pg_restore"), "--jobs", jobs, "--dbname", database, dumpFile], {
            env,
          }),
        ),
    },
    { onResult: (name, round, one) => bench.log(`${name} ${round + 1}: ${one.seconds.toFixed(2)} s`) },
  );
  return {
    data,
    programs: programsOf(source),
    figures: [
      ratioFigure(
        `time against \`pg_restore -j ${jobs}\` of a local \`pg_dump -Fc\``,
        secondsOf(results.ours),
        secondsOf(results.restore),
        seconds,
        { atMost: 1.2 },
      ),
      memoryFigure(
        "lc2, its worker and pg_restore, the largest of them",
        results.ours.map((one) => one.peakBytes),
      ),
    ],
    notes: [
      `The backup has ${jobs} streams, so that its rows are loaded by as many as the peer's.`,
      "LC2: planned, decrypted, loaded into an empty database, analysed, and compared with the backup's own count of rows. The peer does none of the four.",
      `CPU seconds without the server's, median: LC2 with pg_restore ${cpu(results.ours)}, pg_restore ${cpu(results.restore)}.`,
    ],
  };
}

/** `lc2 backup create` of the source's database; standard output is the backup's name. */
export async function createBackup(
  source: Source,
  dataDirectory: string,
  repository: string,
  options: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ReturnType<typeof lc2> {
  await mkdir(dataDirectory, { recursive: true });
  const url = source.server.urlOf(source.database);
  return await lc2(
    dataDirectory,
    ["backup", "create", "--database", url, "--repository", repository, "-o", "name", ...options],
    { env: { ...environmentOf(source), ...env } },
  );
}

const cpu = (list: readonly Measurement[]): string => median(list.map((one) => one.cpuSeconds)).toFixed(1);
