/** A folder backed up and restored, against restic and rclone on the same folder. */
import { existsSync, utimesSync, writeFileSync, readFileSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fillFolder } from "../../demo/dataset-files.ts";
import type { BenchCase } from "./bench-case.ts";
import { megabytes, memoryFigure, ratioFigure, seconds, type CaseReport } from "./figure.ts";
import { sizeOfFolder, walkPlainly } from "./folders.ts";
import { interleave, measure, median, secondsOf, type Measurement } from "./measure.ts";
import { lc2, lc2Text, type Workbench } from "./workbench.ts";

export const filesCases: readonly BenchCase[] = [
  { name: "files-first", title: "First backup of a folder", run: compareFirst },
  { name: "files-second", title: "Second backup of a folder, 1 % changed", run: compareSecond },
  { name: "files-restore", title: "Restore of one file, and of all", run: compareRestores },
];

type Outcome = Pick<CaseReport, "data" | "programs" | "figures" | "notes">;

interface Folder {
  readonly path: string;
  readonly description: string;
  /** Regular files, in the order of a walk. */
  readonly files: readonly string[];
}

async function openFolder(bench: Workbench): Promise<Folder> {
  const full = bench.scale === "full";
  const path = await bench.once("folder", async (folder) => {
    const counts = full
      ? { documents: 35_714, generatedPerDocument: 0, largeFiles: 4, largeFileKib: 64_000 }
      : { documents: 1_400, generatedPerDocument: 0, largeFiles: 2, largeFileKib: 8_000 };
    await fillFolder(folder, counts, { seed: 7, oddNames: false });
  });
  const files: string[] = [];
  let bytes = 0;
  walkPlainly(path, (file, facts) => {
    if (!facts.isFile()) return;
    files.push(file);
    bytes += facts.size;
  });
  return {
    path,
    files,
    description:
      `${files.length.toLocaleString("en")} files of 0.3 to 60 KB, most of them small, and ${full ? 4 : 2} large ones, ` +
      `${megabytes(bytes)} in all, a third of random bytes and the rest text (\`demo/dataset-files.ts\`); in the page cache`,
  };
}

/** Into the page cache: rclone asks the kernel to forget what it has read. */
async function readThrough({ files }: Folder): Promise<void> {
  for (const file of files) await readFile(file);
}

interface Peers {
  readonly programs: string[];
  readonly restic: boolean;
  readonly rclone: boolean;
  readonly notes: string[];
}

async function findPeers(): Promise<Peers> {
  const version = async (program: string, argument: string): Promise<string | undefined> => {
    try {
      return (await measure([program, argument])).stdout.split("\n")[0]?.trim();
    } catch {
      return undefined;
    }
  };
  const [restic, rclone] = [await version("restic", "version"), await version("rclone", "version")];
  const missing = [...(restic === undefined ? ["restic"] : []), ...(rclone === undefined ? ["rclone"] : [])];
  return {
    programs: [lc2Text, ...[restic, rclone].filter((one) => one !== undefined)],
    restic: restic !== undefined,
    rclone: rclone !== undefined,
    notes: missing.map(
      (name) => `${name} is not installed, so nothing is compared with it: \`apt-get install ${name}\`.`,
    ),
  };
}

const resticEnv = { RESTIC_PASSWORD: "bench", RESTIC_PROGRESS_FPS: "0.1" };
export const logTo = (bench: Workbench) => ({
  onResult: (name: string, round: number, one: Measurement) =>
    bench.log(
      `${name} ${round + 1}: ${one.seconds.toFixed(2)} s, ${(one.peakBytes / 2 ** 20).toFixed(0)} MiB`,
    ),
});

const initRestic = (repository: string) =>
  measure(["restic", "init", "--repo", repository], { env: resticEnv });

const resticBackup = (repository: string, folder: string, cache: string) =>
  measure(["restic", "backup", "--quiet", "--repo", repository, "--cache-dir", cache, "."], {
    env: resticEnv,
    cwd: folder,
    lowPriority: true,
  });

const ourBackup = (dataDirectory: string, repository: string, folder: string) =>
  lc2(dataDirectory, ["backup", "create", "--files", folder, "--repository", repository, "-o", "name"]);

const niceNote =
  "Backups run with the low priority (nice 10) that LC2 gives its backup workers, the peers' too; everything from start to end counts.";

async function compareFirst(bench: Workbench): Promise<Outcome> {
  const folder = await openFolder(bench);
  const peers = await findPeers();
  const scratch = await bench.scratch("files-first");
  const sizes: Record<string, number> = {};
  const fresh = async (
    name: string,
    run: (target: string) => Promise<Measurement>,
    prepare?: (target: string) => Promise<unknown>,
  ) => {
    const target = join(scratch, name);
    await prepare?.(target);
    await readThrough(folder);
    const measured = await run(target);
    sizes[name] ??= sizeOfFolder(target);
    await rm(target, { recursive: true });
    return measured;
  };
  const results = await interleave<string, Measurement>(
    bench.rounds,
    {
      ours: () => fresh("lc2", (target) => ourBackup(join(scratch, "data"), target, folder.path)),
      ...(peers.restic
        ? {
            restic: () =>
              fresh(
                "restic",
                (target) => resticBackup(target, folder.path, join(scratch, "cache")),
                initRestic,
              ),
          }
        : {}),
      ...(peers.rclone
        ? {
            rclone: () =>
              fresh("rclone", (target) =>
                measure(["rclone", "copy", "--links", folder.path, target], { lowPriority: true }),
              ),
          }
        : {}),
    },
    logTo(bench),
  );
  const { ours = [], restic, rclone } = results;
  return {
    data: folder.description,
    programs: peers.programs,
    figures: [
      ...against("time against `restic backup` into a new repository", ours, restic, 1),
      ...against("time against `rclone copy` to a new folder", ours, rclone, 1),
      memoryFigure(
        "lc2 and its worker, the larger",
        ours.map((one) => one.peakBytes),
      ),
      ...(restic === undefined
        ? []
        : [
            {
              what: "peak memory: restic, for comparison",
              ours: "",
              against: `${Math.round(Math.max(...restic.map((one) => one.peakBytes)) / 2 ** 20)} MiB`,
              result: "",
              goal: "",
            },
          ]),
    ],
    notes: [
      ...peers.notes,
      niceNote,
      cpuNote({ LC2: ours, restic, rclone }),
      `Stored: ${Object.entries(sizes)
        .map(([name, size]) => `${name} ${megabytes(size)}`)
        .join(", ")}. rclone neither compresses nor encrypts nor hashes here; restic does all three.`,
    ],
  };
}

async function compareSecond(bench: Workbench): Promise<Outcome> {
  const folder = await openFolder(bench);
  const peers = await findPeers();
  const scratch = await bench.scratch("files-second");
  const [data, ours, theirs, cache, tiny] = ["data", "lc2", "restic", "cache", "tiny"].map((name) =>
    join(scratch, name),
  ) as [string, string, string, string, string];
  await mkdir(tiny);
  writeFileSync(join(tiny, "one file"), "x");
  await ourBackup(data, ours, folder.path);
  if (peers.restic) {
    await initRestic(theirs);
    await resticBackup(theirs, folder.path, cache);
  }
  await ourBackup(data, `${ours}-tiny`, tiny);
  const walk = fileURLToPath(new URL("./plain-walk.ts", import.meta.url));
  const results = await interleave<string, Measurement>(
    bench.rounds,
    {
      ours: () => ourBackup(data, ours, folder.path),
      walk: () => measure([process.execPath, walk, folder.path], { lowPriority: true }),
      start: () => ourBackup(data, `${ours}-tiny`, tiny),
      ...(peers.restic ? { restic: () => resticBackup(theirs, folder.path, cache) } : {}),
    },
    { ...logTo(bench), before: (round) => changeOnePercent(folder, round) },
  );
  const { ours: our = [], walk: walks = [], start = [], restic } = results;
  const [walkSeconds, startSeconds] = [median(secondsOf(walks)), median(secondsOf(start))];
  const allowed = secondsOf(walks).map((one) => one * 2.5 + startSeconds);
  return {
    data: `${folder.description}; before each round other 1 % of the files are rewritten`,
    programs: [...peers.programs, `a walk by Node ${process.version} (readdir and lstat of everything)`],
    figures: [
      ...against("time against `restic backup` again", our, restic, 1),
      ratioFigure("time against 2.5 × a plain walk + start", secondsOf(our), allowed, seconds, { atMost: 1 }),
      memoryFigure(
        "lc2 and its worker, the larger",
        our.map((one) => one.peakBytes),
      ),
    ],
    notes: [
      ...peers.notes,
      niceNote,
      cpuNote({ LC2: our, restic, "the walk": walks, "the start": start }),
      `Medians: the walk ${walkSeconds.toFixed(2)} s; the start, which is a second backup of a folder with one file, ${startSeconds.toFixed(2)} s.`,
    ],
  };
}

/** Rewrites every hundredth file, other ones each round, with text of about the same size. */
async function changeOnePercent(folder: Folder, round: number): Promise<void> {
  for (let i = round % 100; i < folder.files.length; i += 100) {
    const path = folder.files[i] ?? "";
    const old = readFileSync(path);
    if (old.length > 1 << 20) continue;
    writeFileSync(
      path,
      Buffer.concat([Buffer.from(`changed in round ${round} at ${Date.now()}\n`), old.subarray(40)]),
    );
    const now = new Date();
    utimesSync(path, now, now);
  }
}

async function compareRestores(bench: Workbench): Promise<Outcome> {
  const folder = await openFolder(bench);
  const peers = await findPeers();
  const scratch = await bench.scratch("files-restore");
  const [data, ours, theirs, cache] = ["data", "lc2", "restic", "cache"].map((name) =>
    join(scratch, name),
  ) as [string, string, string, string];
  const backupId = (await ourBackup(data, ours, folder.path)).stdout.trim();
  if (peers.restic) {
    await initRestic(theirs);
    await resticBackup(theirs, folder.path, cache);
  }
  const middle = folder.files[folder.files.length >> 1] ?? "";
  const one = middle.slice(folder.path.length + 1);

  const intoNew = async (
    expected: number,
    run: (target: string) => Promise<Measurement>,
  ): Promise<Measurement> => {
    const target = join(scratch, "target");
    const measured = await run(target);
    const found = existsSync(target) ? countFiles(target) : 0;
    if (found !== expected) throw new Error(`${found} files were restored instead of ${expected}`);
    await rm(target, { recursive: true });
    return measured;
  };
  const restoreOurs =
    (...options: string[]) =>
    (target: string) =>
      lc2(data, [
        "restore",
        "create",
        "--from",
        backupId,
        "--files",
        target,
        "--yes",
        "-o",
        "name",
        ...options,
      ]);
  const restoreRestic =
    (...options: string[]) =>
    (target: string) =>
      measure(
        [
          "restic",
          "restore",
          "latest",
          "--quiet",
          "--repo",
          theirs,
          "--cache-dir",
          cache,
          "--target",
          target,
          ...options,
        ],
        { env: resticEnv },
      );
  const all = folder.files.length;
  const results = await interleave<string, Measurement>(
    bench.rounds,
    {
      oursOne: () => intoNew(1, restoreOurs("--include", one)),
      oursAll: () => intoNew(all, restoreOurs()),
      ...(peers.restic
        ? {
            resticOne: () => intoNew(1, restoreRestic("--include", `/${one}`)),
            resticAll: () => intoNew(all, restoreRestic()),
          }
        : {}),
    },
    logTo(bench),
  );
  const { oursOne = [], oursAll = [], resticOne, resticAll } = results;
  return {
    data: folder.description,
    programs: peers.programs,
    figures: [
      ...against(
        `time for one file of ${all.toLocaleString("en")} against \`restic restore --include\``,
        oursOne,
        resticOne,
        1,
      ),
      ...against("time for all against `restic restore`", oursAll, resticAll, 1),
      memoryFigure(
        "lc2 and its worker, the larger",
        [...oursOne, ...oursAll].map((measured) => measured.peakBytes),
      ),
    ],
    notes: [
      ...peers.notes,
      cpuNote({ "LC2 one": oursOne, "LC2 all": oursAll, "restic one": resticOne, "restic all": resticAll }),
      "LC2 plans first, and reads back and hashes what it wrote; restic does not (`--verify` is off, as by default).",
    ],
  };
}

/** Less moved by other work on the machine than wall time is. */
export function cpuNote(measured: Readonly<Record<string, readonly Measurement[] | undefined>>): string {
  const shown = Object.entries(measured).flatMap(([name, list]) =>
    list === undefined ? [] : [`${name} ${median(list.map((one) => one.cpuSeconds)).toFixed(1)}`],
  );
  return `CPU seconds, median: ${shown.join(", ")}.`;
}

function countFiles(folder: string): number {
  let files = 0;
  walkPlainly(folder, (_, facts) => {
    if (facts.isFile()) files += 1;
  });
  return files;
}

export const against = (
  what: string,
  ours: readonly Measurement[],
  peer: readonly Measurement[] | undefined,
  atMost: number,
) => (peer === undefined ? [] : [ratioFigure(what, secondsOf(ours), secondsOf(peer), seconds, { atMost })]);
