/** How long those who look at a server wait, while it works and when its catalog is long. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { BenchCase } from "./bench-case.ts";
import { backupsInCatalog, fillPostgresCatalog, fillSqliteCatalog } from "./fill-catalog.ts";
import { mebibytes, type Figure } from "./figure.ts";
import { startService, type ServiceUnderTest } from "./lc2-service.ts";
import { lc2, lc2Text, type Workbench } from "./workbench.ts";

const backupsAtOnce = 10;
const restoresAtOnce = 5;
const queued = 200;
/** A few more than run and wait: restores end while they are counted. */
const asked = { backups: queued - 20, restores: 50 };

export const serverCases: readonly BenchCase[] = [
  {
    name: "server-load",
    title: "A server at its limits",
    judgedAtAnyScale: true,
    run: async (bench) => {
      const folder = await bench.scratch("server-load");
      const dataDirectory = join(folder, "data");
      const backupId = await prepare(folder, dataDirectory);
      await using server = await startService(dataDirectory);
      await ask(server, folder, backupId);
      const counts = await untilFull(server);
      bench.log(`${counts.running} run, ${counts.waiting} wait`);
      const calls = bench.scale === "full" ? 1_000 : 200;
      const lists = await callOften(server, calls, "projects/-/backups?limit=50");
      const statuses = await callOften(server, calls, `projects/-/backups/${backupId}`);
      const left = await countOpen(server);
      return {
        data:
          `${backupsAtOnce} backups and ${restoresAtOnce} restores of folders at once, with ${counts.waiting} requests waiting ` +
          `(${left.running} ran and ${left.waiting} waited at the end); the catalog is SQLite`,
        programs: [`${lc2Text}; calls over HTTP by one client, one after the other`],
        figures: [
          waitingFigure("`GET …/backups?limit=50` meanwhile", lists, 50),
          waitingFigure("`GET …/backups/{id}` meanwhile", statuses, 50),
          peakFigure(await server.peakBytes()),
        ],
        notes: [
          "Workers, server and client share the machine's processors; workers of backups have low priority.",
        ],
      };
    },
  },
  {
    name: "server-list",
    title: "A server with a long catalog",
    judgedAtAnyScale: true,
    run: async (bench) => {
      const sqlite = join(await bench.scratch("server-list-sqlite"), "data");
      await mkdir(sqlite, { recursive: true });
      await fillSqliteCatalog(join(sqlite, "catalog.db"));
      const postgres = join(await bench.scratch("server-list-postgres"), "data");
      const { server: database, version } = await bench.source();
      const url = await fillPostgresCatalog(database);
      const figures = [
        ...(await listFigures(bench, "SQLite", sqlite, {})),
        ...(await listFigures(bench, `PostgreSQL ${version}`, postgres, { DATABASE_URL: url })),
      ];
      await database.query("DROP DATABASE lc2_catalog");
      return {
        data: `catalogs with ${backupsInCatalog.toLocaleString("en")} sealed backups of 10 projects`,
        programs: [`${lc2Text}; calls over HTTP by one client, one after the other`],
        figures,
        notes: ["Ready: from the start of the process to the first answer of `/health/ready` with 200."],
      };
    },
  },
];

/** A folder for each backup, because a place is worked on by one at a time; and one backup to restore. */
async function prepare(folder: string, dataDirectory: string): Promise<string> {
  for (let source = 0; source < asked.backups; source += 1) {
    const place = join(folder, "sources", String(source));
    await mkdir(place, { recursive: true });
    await writeFile(join(place, "file"), Buffer.alloc(4_000_000, String(source)));
  }
  const many = join(folder, "many");
  await mkdir(many);
  for (let file = 0; file < 20_000; file += 1)
    await writeFile(join(many, `file-${file}`), `content of ${file}`);
  const { stdout } = await lc2(dataDirectory, ["backup", "create", "--files", many, "-o", "name"]);
  return stdout.trim();
}

async function ask(server: ServiceUnderTest, folder: string, backupId: string): Promise<void> {
  for (let source = 0; source < asked.backups; source += 1) {
    await server.call("POST", `projects/project-${source % 20}/backups`, {
      storage: { url: `file://${folder}/sources/${source}` },
      // So slow that the measurement is over before they are.
      maxRateBytesPerSecond: 100_000,
    });
  }
  for (let target = 0; target < asked.restores; target += 1) {
    await server.call("POST", "projects/default/restores", {
      backupId,
      storage: { url: `file://${folder}/targets/${target}` },
    });
  }
}

interface Open {
  readonly running: number;
  readonly waiting: number;
}

/** Page by page, as whoever looks at a server would: a page of a thousand is a load of its own. */
async function countOpen(server: ServiceUnderTest): Promise<Open> {
  let [running, waiting] = [0, 0];
  for (const noun of ["backups", "restores"] as const) {
    let cursor: string | undefined;
    do {
      const more = cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const { json } = await server.call("GET", `projects/-/${noun}?limit=50${more}`);
      const page = json as { nextCursor?: string } & Record<
        typeof noun,
        readonly { readonly status: string }[]
      >;
      for (const { status } of page[noun]) {
        if (status === "Queued") waiting += 1;
        else if (!["Completed", "Failed", "Cancelled"].includes(status)) running += 1;
      }
      cursor = page.nextCursor;
    } while (cursor !== undefined);
  }
  return { running, waiting };
}

async function untilFull(server: ServiceUnderTest): Promise<Open> {
  const deadlineMs = performance.now() + 120_000;
  for (;;) {
    const open = await countOpen(server);
    if (open.running >= backupsAtOnce + restoresAtOnce && open.waiting >= queued) return open;
    if (performance.now() > deadlineMs) {
      throw new Error(`only ${open.running} run and ${open.waiting} wait`);
    }
    await pause(2_000);
  }
}

async function listFigures(
  bench: Workbench,
  catalog: string,
  dataDirectory: string,
  env: Readonly<Record<string, string>>,
): Promise<Figure[]> {
  const calls = bench.scale === "full" ? 1_000 : 200;
  const starts: number[] = [];
  const cpu: number[] = [];
  for (let round = 0; round < Math.max(3, bench.rounds); round += 1) {
    await using server = await startService(dataDirectory, env);
    starts.push(server.readyAfterMs);
    cpu.push(server.readyCpuMs);
  }
  await using server = await startService(dataDirectory, env);
  const newest = await callOften(server, calls, "projects/-/backups?limit=50");
  const filtered = await callOften(server, calls, "projects/shop-3/backups?limit=50&status=Completed");
  const { json } = await server.call("GET", "projects/shop-3/backups?limit=1");
  const { total } = json as { total: number };
  if (total !== backupsInCatalog / 10)
    throw new Error(`${total} backups are there, not ${backupsInCatalog / 10}`);
  const slowest = Math.max(...starts);
  return [
    waitingFigure(`${catalog}: the newest 50`, newest, 20),
    waitingFigure(`${catalog}: the newest 50 of a project, completed`, filtered, 20),
    {
      what: `${catalog}: ready`,
      ours: `${(slowest / 1000).toFixed(2)} s; ${(Math.max(...cpu) / 1000).toFixed(2)} s of processor time`,
      against: "",
      result: `${(slowest / 1000).toFixed(2)} s at most`,
      goal: "< 2 s",
      met: slowest < 2_000,
    },
  ];
}

interface Waits {
  readonly ms: readonly number[];
  /** Of the server's process, a call; its other work meanwhile included. */
  readonly cpuMsEach: number;
}

async function callOften(server: ServiceUnderTest, calls: number, path: string): Promise<Waits> {
  const ms: number[] = [];
  const before = await server.cpuMs();
  for (let call = 0; call < calls; call += 1) ms.push((await server.call("GET", path)).ms);
  return { ms, cpuMsEach: ((await server.cpuMs()) - before) / calls };
}

function waitingFigure(what: string, { ms, cpuMsEach }: Waits, atMostMs: number): Figure {
  const sorted = [...ms].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
  return {
    what,
    ours: `median ${at(0.5).toFixed(1)} ms, slowest ${at(1).toFixed(1)} ms; ${cpuMsEach.toFixed(1)} ms of the server's processor time`,
    against: "",
    result: `p95 ${at(0.95).toFixed(1)} ms`,
    goal: `p95 < ${atMostMs} ms`,
    met: at(0.95) < atMostMs,
  };
}

function peakFigure(bytes: number): Figure {
  return {
    what: "peak memory of the server",
    ours: mebibytes(bytes),
    against: "",
    result: mebibytes(bytes),
    goal: "< 150 MiB",
    met: bytes < 150 * 2 ** 20,
  };
}
