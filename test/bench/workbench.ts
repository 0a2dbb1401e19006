/** What benchmark cases share: data, a server, the product's command line; made when first asked for. */
import { chmod, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createDataset } from "../../demo/dataset.ts";
import { ensurePostgresServers, startPostgres, type RunningPostgres } from "../../demo/postgres-servers.ts";
import type { Scale } from "./figure.ts";
import { measure, type CommandOptions, type Measurement } from "./measure.ts";

const ofCheckout = fileURLToPath(new URL("../../bin/lc2", import.meta.url));
export const lc2Program = process.env["LC2_BENCH_PROGRAM"] || ofCheckout;

/** Which program is measured, for the report. */
export const lc2Text =
  lc2Program === ofCheckout
    ? "LC2 from this checkout, by `bin/lc2`"
    : "LC2 as packed by `npm run pack` and installed, by its `bin/lc2`";

/** The newest major whose `pg_dump` knows zstd and that the measurements behind the goals were made on. */
const major = 17;

export interface Source {
  readonly server: RunningPostgres;
  readonly database: string;
  /** Folder of `pg_dump` and the rest. */
  readonly tools: string;
  readonly version: string;
  /** Bytes of an uncompressed archive, about; as counted once. */
  readonly databaseBytes: number;
}

export class Workbench implements AsyncDisposable {
  readonly scale: Scale;
  readonly rounds: number;
  /** Kept between runs when the caller named it. */
  readonly folder: string;
  readonly #log: (line: string) => void;
  #source: Promise<Source> | undefined;

  constructor(options: { scale: Scale; rounds: number; folder: string; log: (line: string) => void }) {
    this.scale = options.scale;
    this.rounds = options.rounds;
    this.folder = options.folder;
    this.#log = options.log;
  }

  log(line: string): void {
    this.#log(line);
  }

  /** A running server with the CMS-like database. */
  source(): Promise<Source> {
    return (this.#source ??= this.#openSource());
  }

  async #openSource(): Promise<Source> {
    const [installation] = await ensurePostgresServers({ majors: [major], log: this.#log });
    if (installation?.clientDirectory === undefined) throw new Error(`PostgreSQL ${major} cannot be had`);
    await chmod(this.folder, 0o755); // the server runs under another uid when root starts it
    const server = await startPostgres(installation, {
      directory: join(this.folder, `postgres-${this.scale}`),
      settings: { shared_buffers: "512MB", max_wal_size: "4GB" },
    });
    try {
      const database = "cms";
      const marker = join(this.folder, `postgres-${this.scale}.ready`);
      if (!(await exists(marker))) {
        this.#log(`filling a PostgreSQL ${installation.version} database`);
        await server.query(`DROP DATABASE IF EXISTS ${database}`);
        await server.query(`CREATE DATABASE ${database}`);
        const { databaseBytes } = await createDataset(server, database, undefined, {
          size: this.scale === "full" ? "bench" : "tiny",
          staleView: false,
        });
        await server.query("VACUUM (FREEZE, ANALYZE)", database);
        await server.query("CHECKPOINT");
        await writeFile(marker, String(databaseBytes));
      }
      return {
        server,
        database,
        tools: installation.clientDirectory,
        version: installation.version,
        databaseBytes: Number(await readFile(marker, "utf8")),
      };
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** A folder below the data folder that is there for one case only. */
  async scratch(name: string): Promise<string> {
    const folder = join(this.folder, "scratch", name);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    return folder;
  }

  /** Makes something once and keeps it in the data folder. */
  async once(name: string, make: (folder: string) => Promise<void>): Promise<string> {
    const folder = join(this.folder, `${name}-${this.scale}`);
    if (await exists(`${folder}.ready`)) return folder;
    this.#log(`making ${name}`);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await make(folder);
    await writeFile(`${folder}.ready`, "");
    return folder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(join(this.folder, "scratch"), { recursive: true, force: true });
    const source = this.#source;
    this.#source = undefined;
    await (await source)?.server.stop();
  }
}

/** Runs `lc2` on its own data directory, in a process as a user starts it. */
export const lc2 = (
  dataDirectory: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<Measurement & { readonly stdout: string }> =>
  measure([lc2Program, ...args], { ...options, env: { ...options.env, LC2_DATA_DIR: dataDirectory } });

/** What `pg_dump` and `lc2` need to connect to the source. */
export const environmentOf = (source: Source): Record<string, string> => ({
  ...source.server.environment(),
  LC2_PG_BIN: source.tools,
});

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
