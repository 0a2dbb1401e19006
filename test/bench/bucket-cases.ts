/** Buckets as source, repository and target, against rclone through the client on the same server. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { randomBytes } from "node:crypto";
import type { BenchCase } from "./bench-case.ts";
import {
  fillWithDocuments,
  keyOfDocument,
  openBucketBench,
  putDocuments,
  putLarge,
  transfers,
  type BucketBench,
} from "./bucket-bench.ts";
import { createBackup, dataOf } from "./database-cases.ts";
import { megabytes, memoryFigure, ratioFigure, seconds, type CaseReport, type Figure } from "./figure.ts";
import { against, cpuNote, logTo } from "./files-cases.ts";
import { interleave, measure, median, secondsOf, type Measurement } from "./measure.ts";
import { environmentOf, lc2, type Workbench } from "./workbench.ts";

export const bucketCases: readonly BenchCase[] = [
  {
    name: "buckets-first",
    title: "First backup of a bucket of small objects",
    run: withBuckets(compareFirst),
  },
  {
    name: "buckets-large",
    title: "First backup of a bucket of large objects",
    run: withBuckets(compareLarge),
  },
  {
    name: "buckets-second",
    title: "Second backup of a bucket, 1 % changed",
    run: withBuckets(compareSecond),
  },
  { name: "buckets-restore", title: "Restore into a bucket", run: withBuckets(compareRestores) },
  {
    name: "buckets-database",
    title: "Backup of a database into a bucket",
    run: withBuckets(compareDatabase),
  },
];

type Outcome = Pick<CaseReport, "data" | "programs" | "figures" | "notes" | "rates">;

/** A server of its own for each case, gone with its data afterwards. */
function withBuckets(run: (bench: Workbench, s3: BucketBench) => Promise<Outcome>) {
  return async (bench: Workbench): Promise<Outcome> => {
    await using s3 = await openBucketBench();
    return await run(bench, s3);
  };
}

const ourLimit = ["--max-concurrency", String(transfers)];
const copyThroughClient = [
  "copy",
  "--disable",
  "copy",
  "--transfers",
  String(transfers),
  "--checkers",
  String(transfers),
  "--s3-no-check-bucket",
  // Its default of 5 MiB makes more than 1,000 parts of the largest object, which the server does not join.
  "--s3-chunk-size",
  "16M",
];
const niceNote =
  "Backups run with the low priority (nice 10) that LC2 gives its backup workers, the peers' too; everything from start to end counts.";
const peerNote =
  "rclone neither compresses nor encrypts nor keeps a history, and asks for each object's own time before it copies it; `--use-server-modtime` spares it that.";

interface Filled {
  readonly bucket: string;
  readonly count: number;
  readonly sizeBytes: number;
  readonly description: string;
}

async function fill(
  bench: Workbench,
  s3: BucketBench,
  counts: { readonly full: number; readonly small: number },
  largestKb: number,
): Promise<Filled> {
  const count = bench.scale === "full" ? counts.full : counts.small;
  const bucket = "documents";
  bench.log(`putting ${count} objects`);
  await s3.create(bucket);
  await fillWithDocuments(s3, bucket, count, largestKb);
  const { sizeBytes } = await s3.sizeOf(bucket);
  return {
    bucket,
    count,
    sizeBytes,
    description: `${count.toLocaleString("en")} objects of 1 to ${largestKb} KB, small ones in the majority, ${megabytes(sizeBytes)} in all, a third of random bytes and the rest text; source and repository in the same server`,
  };
}

function* range(from: number, to: number, step: number): Generator<number> {
  for (let index = from; index < to; index += step) yield index;
}

const backUp = (s3: BucketBench, dataDirectory: string, source: string, repository: string) =>
  lc2(
    dataDirectory,
    [
      "backup",
      "create",
      "--bucket",
      s3.urlOf(source),
      "--repository",
      s3.urlOf(repository),
      ...ourLimit,
      "-o",
      "name",
    ],
    { env: s3.environment },
  );

/** Runs into a bucket that is empty before and gone afterwards. */
async function intoFresh(
  s3: BucketBench,
  run: (bucket: string) => Promise<Measurement>,
  check: (found: { readonly objects: number; readonly sizeBytes: number }) => void,
): Promise<Measurement> {
  const bucket = `into-${randomBytes(4).toString("hex")}`;
  await s3.create(bucket);
  const measured = await run(bucket);
  check(await s3.sizeOf(bucket));
  await s3.remove(bucket);
  return measured;
}

async function compareBackups(
  bench: Workbench,
  s3: BucketBench,
  source: { readonly bucket: string; readonly count: number },
  scratch: string,
) {
  const sizes: Record<string, number> = {};
  const note = (name: string) => (found: { objects: number; sizeBytes: number }) => {
    sizes[name] = found.sizeBytes;
    if (name !== "LC2" && found.objects !== source.count)
      throw new Error(`rclone copied ${found.objects} of ${source.count} objects`);
  };
  const copy = (...more: string[]) =>
    intoFresh(
      s3,
      (bucket) =>
        s3.rclone([...copyThroughClient, ...more, `bench:${source.bucket}`, `bench:${bucket}`], {
          lowPriority: true,
        }),
      note("rclone"),
    );
  const results = await interleave<string, Measurement>(
    bench.rounds,
    {
      ours: (round) =>
        intoFresh(
          s3,
          (bucket) => backUp(s3, join(scratch, `data-${round}`), source.bucket, bucket),
          note("LC2"),
        ),
      rclone: () => copy(),
      tuned: () => copy("--use-server-modtime"),
    },
    logTo(bench),
  );
  return { results, sizes };
}

async function compareFirst(bench: Workbench, s3: BucketBench): Promise<Outcome> {
  const source = await fill(bench, s3, { full: 50_000, small: 1_000 }, 200);
  const scratch = await bench.scratch("buckets-first");
  const { results, sizes } = await compareBackups(bench, s3, source, scratch);
  const { ours = [], rclone = [], tuned = [] } = results;
  return {
    data: source.description,
    programs: s3.programs,
    figures: [
      ratioFigure("time against `rclone copy --disable copy`", secondsOf(ours), secondsOf(rclone), seconds, {
        atMost: 0.67,
        moonshot: 0.33,
      }),
      withoutGoal(
        ratioFigure(
          "time against the same with `--use-server-modtime`",
          secondsOf(ours),
          secondsOf(tuned),
          seconds,
          {
            atMost: 1,
          },
        ),
      ),
      memoryOf(ours),
    ],
    notes: [
      niceNote,
      peerNote,
      `Objects a second, median: LC2 ${perSecond(source.count, ours)}, rclone ${perSecond(source.count, rclone)}, with --use-server-modtime ${perSecond(source.count, tuned)}.`,
      cpuNote({ LC2: ours, rclone, "rclone tuned": tuned }),
      storedNote(sizes),
    ],
    rates: ratesOf(source.count, source.sizeBytes, ours),
  };
}

const ratesOf = (objects: number, sizeBytes: number, ours: readonly Measurement[]) => {
  const took = median(secondsOf(ours));
  return { objectsPerSecond: objects / took, bytesPerSecond: sizeBytes / took };
};

async function compareLarge(bench: Workbench, s3: BucketBench): Promise<Outcome> {
  const full = bench.scale === "full";
  const sizesMb = full ? [1_000, 2_000, 5_300] : [40, 80];
  const scratch = await bench.scratch("buckets-large");
  const bucket = "large";
  await s3.create(bucket);
  for (const [index, sizeMb] of sizesMb.entries()) {
    bench.log(`putting ${sizeMb} MB`);
    // Random bytes: neither side can save by compressing.
    await putLarge(s3, bucket, `large-${index}`, sizeMb);
  }
  const { results, sizes } = await compareBackups(bench, s3, { bucket, count: sizesMb.length }, scratch);
  const { ours = [], rclone = [], tuned = [] } = results;
  const total = sizesMb.reduce((sum, one) => sum + one, 0);
  return {
    data: `${sizesMb.length} objects of ${sizesMb.join(", ")} MB of random bytes; source and repository in the same server`,
    programs: s3.programs,
    figures: [...against("time against `rclone copy --disable copy`", ours, rclone, 1), memoryOf(ours)],
    notes: [
      niceNote,
      peerNote,
      `MB a second, median: LC2 ${perSecond(total, ours)}, rclone ${perSecond(total, rclone)}.`,
      cpuNote({ LC2: ours, rclone, "rclone tuned": tuned }),
      storedNote(sizes),
    ],
    rates: ratesOf(sizesMb.length, total * 1e6, ours),
  };
}

async function compareSecond(bench: Workbench, s3: BucketBench): Promise<Outcome> {
  const source = await fill(bench, s3, { full: 200_000, small: 2_000 }, 20);
  const scratch = await bench.scratch("buckets-second");
  const data = join(scratch, "data");
  const tiny = "tiny";
  await s3.create(tiny);
  await s3.put(tiny, "one", Buffer.from("x"));
  for (const [from, to] of [
    [source.bucket, "repository"],
    [tiny, "repository-tiny"],
  ] as const) {
    await s3.create(to);
    await backUp(s3, data, from, to);
  }
  let changedAtMs = 0;
  const program = fileURLToPath(new URL("./plain-list.ts", import.meta.url));
  const results = await interleave<string, Measurement>(
    bench.rounds,
    {
      ours: () => backUp(s3, data, source.bucket, "repository"),
      plain: () =>
        measure(
          [process.execPath, program, s3.endpoint, source.bucket, String(changedAtMs), String(transfers)],
          { env: s3.environment, lowPriority: true },
        ),
      start: () => backUp(s3, data, tiny, "repository-tiny"),
    },
    {
      ...logTo(bench),
      before: async (round) => {
        // The list tells whole seconds.
        changedAtMs = Math.floor(Date.now() / 1000) * 1000;
        await putDocuments(s3, source.bucket, range(round % 100, source.count, 100), 20, `round ${round}`);
      },
    },
  );
  const { ours = [], plain = [], start = [] } = results;
  const [plainSeconds, startSeconds] = [median(secondsOf(plain)), median(secondsOf(start))];
  const allowed = secondsOf(plain).map((one) => one * 1.5 + startSeconds);
  return {
    data: `${source.description}; before each round other 1 % of the objects are replaced`,
    programs: [
      ...s3.programs,
      `one plain list and the GETs of what changed, by Node ${process.version} and the AWS SDK`,
    ],
    figures: [
      ratioFigure("time against 1.5 × one list and GETs + start", secondsOf(ours), allowed, seconds, {
        atMost: 1,
        moonshot: 0.8,
      }),
      withoutGoal(
        ratioFigure("time against one list and GETs", secondsOf(ours), secondsOf(plain), seconds, {
          atMost: 1.5,
        }),
      ),
      memoryOf(ours),
    ],
    notes: [
      niceNote,
      `Medians: list and GETs ${plainSeconds.toFixed(2)} s; the start, which is a second backup of a bucket with one object, ${startSeconds.toFixed(2)} s.`,
      cpuNote({ LC2: ours, "list and GETs": plain, "the start": start }),
    ],
  };
}

async function compareRestores(bench: Workbench, s3: BucketBench): Promise<Outcome> {
  const source = await fill(bench, s3, { full: 50_000, small: 1_000 }, 200);
  const scratch = await bench.scratch("buckets-restore");
  const data = join(scratch, "data");
  await s3.create("repository");
  const backupId = (await backUp(s3, data, source.bucket, "repository")).stdout.trim();
  const one = keyOfDocument(source.count >> 1);
  const folder = `documents/${one.split("/")[1] ?? ""}`;
  const inFolder = Math.min(500, source.count);

  const restore = (expected: number, ...options: string[]) =>
    intoFresh(
      s3,
      (bucket) =>
        lc2(
          data,
          [
            "restore",
            "create",
            "--from",
            backupId,
            "--bucket",
            s3.urlOf(bucket),
            ...ourLimit,
            "--yes",
            "-o",
            "name",
            ...options,
          ],
          { env: s3.environment },
        ),
      ({ objects }) => {
        if (objects !== expected) throw new Error(`${objects} objects were restored instead of ${expected}`);
      },
    );
  const copy = (from: string, expected: number) =>
    intoFresh(
      s3,
      (bucket) =>
        s3.rclone([...copyThroughClient, `bench:${source.bucket}/${from}`, `bench:${bucket}/${from}`]),
      ({ objects }) => {
        if (objects !== expected) throw new Error(`rclone copied ${objects} instead of ${expected}`);
      },
    );
  const results = await interleave<string, Measurement>(
    bench.rounds,
    {
      all: () => restore(source.count),
      folder: () => restore(inFolder, "--include", `${folder}/**`),
      one: () => restore(1, "--include", one),
      rcloneAll: () => copy("", source.count),
      rcloneFolder: () => copy(folder, inFolder),
    },
    logTo(bench),
  );
  const { all = [], folder: some = [], one: single = [], rcloneAll = [], rcloneFolder = [] } = results;
  return {
    data: source.description,
    programs: s3.programs,
    figures: [
      ...against("time for all against `rclone copy` back", all, rcloneAll, 1),
      ...against(
        `time for a folder of ${inFolder} objects against \`rclone copy\` of it`,
        some,
        rcloneFolder,
        1,
      ),
      secondsFigure(`time for one object of ${source.count.toLocaleString("en")}`, single, 1),
      memoryOf([...all, ...some, ...single]),
    ],
    notes: [
      "LC2 plans first, decrypts, and lists the target in the end to see that everything is there.",
      cpuNote({ "LC2 all": all, "LC2 folder": some, "LC2 one": single, "rclone all": rcloneAll }),
    ],
  };
}

async function compareDatabase(bench: Workbench, s3: BucketBench): Promise<Outcome> {
  const source = await bench.source();
  const data = await dataOf(bench);
  const scratch = await bench.scratch("buckets-database");
  const sizes: Record<string, number[]> = { LC2: [], rclone: [] };
  const note = (name: string) => (found: { sizeBytes: number }) => sizes[name]?.push(found.sizeBytes);
  const dump = `"$PG_DUMP" --format=custom '${source.database}' | "$RCLONE" rcat`;
  const results = await interleave<string, Measurement>(
    bench.rounds,
    {
      ours: (round) =>
        intoFresh(
          s3,
          (bucket) =>
            createBackup(
              source,
              join(scratch, `data-${round}`),
              s3.urlOf(bucket),
              ["--streams", "1"],
              s3.environment,
            ),
          note("LC2"),
        ),
      rclone: () =>
        intoFresh(
          s3,
          (bucket) =>
            s3.shell(`${dump} bench:${bucket}/dump`, {
              env: { ...environmentOf(source), PG_DUMP: join(source.tools, "pg_dump") },
              lowPriority: true,
            }),
          note("rclone"),
        ),
    },
    logTo(bench),
  );
  const { ours = [], rclone = [] } = results;
  return {
    data,
    programs: [...s3.programs, `pg_dump ${source.version}`],
    figures: [
      ratioFigure("time against `pg_dump -Fc | rclone rcat`", secondsOf(ours), secondsOf(rclone), seconds, {
        atMost: 0.35,
      }),
      ratioFigure(
        "size against `pg_dump -Fc | rclone rcat`",
        sizes["LC2"] ?? [],
        sizes["rclone"] ?? [],
        (list) => megabytes(median(list)),
        { atMost: 0.82 },
      ),
      memoryOf(ours),
    ],
    notes: [niceNote, cpuNote({ "LC2 with pg_dump": ours, "pg_dump and rclone": rclone })],
  };
}

const memoryOf = (ours: readonly Measurement[]): Figure =>
  memoryFigure(
    "lc2 and its worker, the larger",
    ours.map((one) => one.peakBytes),
  );

function secondsFigure(what: string, measured: readonly Measurement[], atMost: number): Figure {
  const middle = median(secondsOf(measured));
  return {
    what,
    ours: seconds(secondsOf(measured)),
    against: "",
    result: `${middle.toFixed(2)} s`,
    goal: `< ${atMost} s`,
    met: middle < atMost,
  };
}

/** For comparison only. */
function withoutGoal({ what, ours, against: other, result }: Figure): Figure {
  return { what, ours, against: other, result, goal: "" };
}

const perSecond = (amount: number, measured: readonly Measurement[]): string =>
  Math.round(amount / median(secondsOf(measured))).toLocaleString("en");

const storedNote = (sizes: Readonly<Record<string, number>>): string =>
  `Stored: ${Object.entries(sizes)
    .map(([name, size]) => `${name} ${megabytes(size)}`)
    .join(", ")}.`;
