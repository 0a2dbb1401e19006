/** What the runs of chaos share: a source with a backup of it, made once, and what is looked at afterwards. */
import { randomBytes } from "node:crypto";
import { chmod, cp, mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  diffFingerprints,
  fingerprintDatabase,
  fingerprintFolder,
  type Fingerprint,
} from "../../demo/fingerprint.ts";
import type { PostgresServer } from "../../demo/postgres-servers.ts";
import type { BackupSpec } from "../../src/contract/operations.ts";
import type { Lc2Service, Waiting } from "../../src/contract/service.ts";
import { readConfig } from "../../src/main/config.ts";
import { loadCatalog } from "../../src/main/open-catalog.ts";
import { openService } from "../../src/main/service.ts";
import { freshDatabase, type TestDatabase } from "../support/servers.ts";
import { inFiles, type LabPlaces, type MachineRepository } from "./lab-places.ts";

/** What a database and a folder hold. */
export interface Content {
  readonly database: Fingerprint;
  readonly files: Fingerprint;
}

export class Lab implements AsyncDisposable {
  readonly folder: string;
  readonly server: PostgresServer;
  readonly source: TestDatabase;
  /** Of the source, which nothing here changes. */
  readonly content: Content;
  /** Two backups of the source; the second one refers to files of the first. */
  readonly backupIds: readonly [string, string];
  readonly #places: LabPlaces;
  /** The one that made the backups. */
  readonly #template: Machine | undefined;

  private constructor(
    made: Pick<Lab, "folder" | "server" | "source" | "content"> & {
      backupIds: readonly [string, string];
      places: LabPlaces;
      template?: Machine;
    },
  ) {
    this.folder = made.folder;
    this.server = made.server;
    this.source = made.source;
    this.content = made.content;
    this.backupIds = made.backupIds;
    this.#places = made.places;
    this.#template = made.template;
  }

  static async open(server: PostgresServer, places = inFiles): Promise<Lab> {
    const folder = await mkdtemp(join(tmpdir(), "lc2-chaos-"));
    await chmod(folder, 0o755);
    const source = await freshDatabase(server);
    await fillDatabase(server, source.name, source.owner.name, "as it was");
    const files = join(folder, "files");
    await fillFolder(files, "as it was");
    const { largeFileBytes } = places.repositories;
    if (largeFileBytes !== undefined) await writeFile(join(files, "film.mp4"), randomBytes(largeFileBytes));
    const content = await readContent(server, source.name, files);
    const unfinished = { folder, server, source, content, places };
    const lab = new Lab({ ...unfinished, backupIds: ["", ""] });
    const template = await lab.openMachine("template");
    const first = await template.service.createBackup(lab.backupSpec(), {}, waiting());
    await writeFile(join(files, "added later.txt"), "only the second backup has it");
    const second = await template.service.createBackup(lab.backupSpec(), {}, waiting());
    const backupIds = [first.backupId, second.backupId] as const;
    const backedUp = await readContent(server, source.name, files);
    return new Lab({ ...unfinished, content: backedUp, backupIds, template });
  }

  get files(): string {
    return join(this.folder, "files");
  }

  backupSpec(): BackupSpec {
    return {
      projectId: "shop",
      application: "liferay",
      provider: "local",
      database: { url: this.source.owner.url, excludeTables: [] },
      storage: {
        url: pathToFileURL(this.files).href,
        excludeGeneratedFiles: false,
        excludePatterns: [],
        excludePaths: [],
        includePaths: [],
        maxShrink: 1,
      },
    };
  }

  /** A data directory and a catalog of its own; with `copy`, the keys and the repository of the two backups. */
  async openMachine(name: string, options: { readonly copy?: boolean } = {}): Promise<Machine> {
    const folder = join(this.folder, name);
    const [data, temporary] = [join(folder, "data"), join(folder, "tmp")];
    await mkdir(temporary, { recursive: true });
    const template = options.copy === true ? this.#template : undefined;
    if (template !== undefined)
      await cp(join(template.folder, "data/keys"), join(data, "keys"), { recursive: true });
    const place = await (template?.place.copy(data) ?? this.#places.repositories.open(data));
    const catalog = await this.#places.catalogs.open();
    const env = {
      ...process.env,
      ...this.source.owner.environment,
      ...place.env,
      ...catalog.env,
      LC2_DATA_DIR: data,
      LC2_PG_BIN: this.server.installation.clientDirectory ?? "",
      TMPDIR: temporary,
    };
    const config = readConfig({}, env);
    const service = openService(config, await loadCatalog(config.catalog), { onNotice: () => undefined });
    const repository = config.defaultRepository;
    if (template !== undefined) await service.scanRepository(repository, { projectId: "shop" }, waiting());
    const close = async (): Promise<void> => {
      await service.close();
      await catalog.drop();
      await place.remove();
      await rm(folder, { recursive: true, force: true });
    };
    return { folder, temporary, env, service, repository, place, close };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#template?.close();
    await this.source.drop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export interface Machine {
  readonly folder: string;
  /** What workers have as folder for temporary files. */
  readonly temporary: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly service: Lc2Service;
  /** URL or path, for the service. */
  readonly repository: string;
  /** The same, for who looks at it from outside. */
  readonly place: MachineRepository;
  /** Leaves nothing of it. */
  close(): Promise<void>;
}

export const waiting = (): Waiting => ({
  signal: new AbortController().signal,
  onEvent: () => undefined,
});

export async function readContent(
  server: PostgresServer,
  database: string,
  folder: string,
): Promise<Content> {
  return {
    database: await fingerprintDatabase(server, database, { definitions: false, connections: 1 }),
    files: await fingerprintFolder(folder),
  };
}

/** What differs, a word each; empty when they are equal. */
export function compareContent(before: Content, after: Content): string[] {
  const differences = [
    ...diffFingerprints(before.database, after.database),
    ...diffFingerprints(before.files, after.files),
  ];
  return differences.map(({ what, before: was, after: is }) => `${what}: ${was ?? "-"} → ${is ?? "-"}`);
}

export async function fillDatabase(
  server: PostgresServer,
  name: string,
  owner: string,
  text: string,
): Promise<void> {
  await server.psql(
    `SET ROLE "${owner}";
     CREATE TABLE article (id int PRIMARY KEY, body text);
     CREATE TABLE comment (id serial PRIMARY KEY, article int REFERENCES article, body text);
     INSERT INTO article SELECT n, '${text} ' || md5(n::text) FROM generate_series(1, 200) n;
     INSERT INTO comment (article, body) SELECT n, '${text}' FROM generate_series(1, 50) n;`,
    name,
  );
}

const longAgo = new Date("2025-01-02T03:04:05Z");

export async function fillFolder(folder: string, text: string): Promise<void> {
  await mkdir(join(folder, "images"), { recursive: true });
  for (const name of ["page.html", "images/logo.svg", `only ${text}.txt`]) {
    await writeFile(join(folder, name), `${text}: ${name}\n`.repeat(40));
    await utimes(join(folder, name), longAgo, longAgo);
  }
  await symlink("page.html", join(folder, "index.html"));
}

/** Folders of workers that are left. */
export async function leftTemporary({ temporary }: Machine): Promise<string[]> {
  return (await readdir(temporary)).filter((name) => name.startsWith("lc2-"));
}
