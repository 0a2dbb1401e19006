/** What earlier versions left on a user's disk: it opens, shows what it holds, goes on, and restores. For ever. */
import { execFile } from "node:child_process";
import { mkdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { diffFingerprints, fingerprintFolder } from "../../demo/fingerprint.ts";
import type { PostgresServer } from "../../demo/postgres-servers.ts";
import type { ManifestEntry } from "../../src/core/repository/manifest.ts";
import type { FileSource } from "../../src/core/ports/file-source.ts";
import { KeyfileService } from "../../src/keys/keyfile/keyfile-service.ts";
import { openFilesystemStore } from "../../src/stores/filesystem/filesystem-store.ts";
import { openFolderSource } from "../../src/stores/filesystem/folder-source.ts";
import { readMetadata } from "../../src/worker/repository/read-metadata.ts";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { backUpFolder, entriesOf, openFilesPlace } from "../support/files-run.ts";
import {
  freshDatabase,
  majorsAvailable,
  urlWithPassword,
  useServer,
  type TestDatabase,
} from "../support/servers.ts";

const run = promisify(execFile);

describe.each(["schema-6"])("an installation of %s", (name) => {
  const [first, second] = ["backup-20261129-170225-c36158", "backup-20261129-170227-e2c828"] as const;
  const failed = "backup-20261129-170230-aa72f6";

  let lc2: CommandLine;
  let server: PostgresServer;
  let database: TestDatabase;
  let repository: string;

  beforeAll(async () => {
    server = await useServer((await majorsAvailable()).at(-1) ?? 0);
    database = await freshDatabase(server);
    lc2 = await openCommandLine();
    const archive = fileURLToPath(new URL(`../fixtures/installation/${name}.tar.gz`, import.meta.url));
    await run("tar", ["-xzf", archive, "-C", lc2.folder]);
    await rename(join(lc2.folder, "lc2"), join(lc2.folder, "data"));
    repository = join(lc2.folder, "backups");
  });
  afterAll(async () => {
    await lc2[Symbol.asyncDispose]();
    await database.drop();
    await server.psql("DROP ROLE IF EXISTS press_owner");
  });

  const list = async (environment?: Readonly<Record<string, string>>) =>
    ((await lc2.json(["backup", "list"], environment)) as { backups: Record<string, unknown>[] }).backups;
  const facts = async (inDatabase: string): Promise<string[]> => {
    const ask = async (query: string): Promise<string> =>
      (await server.psql(`SET timezone = 'UTC'; ${query}`, inDatabase)).trim();
    return [
      await ask("SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY id)) FROM cms.article t"),
      await ask("SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY id)) FROM cms.comment t"),
      await ask("SELECT md5(lo_get(16500))"),
      await ask(`SELECT sum("Größe"), count(*) FROM cms."Odd ""Name"""`),
      await ask("SELECT count(*) FROM cms.newest"),
      await ask("SELECT sum(count) FROM cms.counts"),
    ];
  };

  it("has a catalog that opens and shows what it held", async () => {
    expect(await list()).toMatchObject([
      { backupId: failed, projectId: "retail", status: "Failed" },
      {
        backupId: second,
        status: "Completed",
        application: "drupal",
        verifiedAt: expect.any(String) as string,
      },
      { backupId: first, status: "Completed", application: "drupal" },
    ]);
    const { restores } = (await lc2.json(["restore", "list"])) as { restores: object[] };
    expect(restores).toMatchObject([{ backupId: second, status: "Completed" }]);
    expect((await lc2.run(["backup", "describe", failed])).stdout).toContain('no database "nothing"');
  });

  it("has a repository that is found again elsewhere, and is whole", async () => {
    await lc2.json(["repository", "scan", repository]);
    expect(await list()).toMatchObject([
      { backupId: failed },
      { backupId: second, repository: `file://${repository}` },
      { backupId: first, repository: `file://${repository}` },
    ]);
    for (const id of [first, second]) {
      const verified = await lc2.run(["backup", "verify", id]);
      expect(verified.code, verified.stderr).toBe(0);
    }
    const checked = await lc2.run(["repository", "check", repository]);
    expect(checked.code, checked.stderr).toBe(0);
  });

  it("restores its database and its files", async () => {
    const target = join(lc2.folder, "restored");
    await mkdir(target);
    const restored = await lc2.run(
      ["restore", "create", "--from", second, "--type", "full", "--yes", "--into", "empty"].concat([
        "--database",
        database.superuser.url,
        "--files",
        target,
      ]),
      database.superuser.environment,
    );
    expect(restored.code, restored.stderr).toBe(0);
    expect(await facts(database.name)).toEqual([
      "50|3633864060a4adca872ba32b53be2e80",
      "101|fb3d3b1145dc65ad730cbb653bf064b1",
      "54d6a94c5617da6c4df189e284640916",
      "12345.67890|2",
      "5",
      "101",
    ]);
    const before = await fingerprintFolder(join(lc2.folder, "press"));
    expect(diffFingerprints(before, await fingerprintFolder(target))).toEqual([]);
  });

  it("goes on: the next backup refers to what it stored, and restores it", async () => {
    const place = openFilesPlace(openFilesystemStore(repository));
    const run = { ...place.run, keys: new KeyfileService(join(lc2.folder, "data/keys")) };
    const earlier = { ...place, run };
    const entries = await entriesOf(earlier, await readMetadata(run, second));
    const source = folderAsOfThen(join(lc2.folder, "press"), "file:///srv/press", entries);
    const made = await backUpFolder(earlier, "/srv/press", { number: 1, source });
    place.close();
    expect(made.components.files).toMatchObject({
      newObjects: 0,
      unchangedObjects: 5,
      references: [first, second],
    });

    await lc2.json(["repository", "scan", repository]);
    await expectRestored(made.backupId, "restored-again");
  });

  it("goes on: the command line makes backups of database and files in it, and new keys open old backups", async () => {
    const library = join(lc2.folder, "press");
    const role = database.superuser;
    const { backupId } = await lc2.json(
      ["backup", "create", "--project", "retail", "--database", role.url, "--files", library].concat([
        "--repository",
        repository,
      ]),
      role.environment,
    );
    const rotated = await lc2.run(["key", "rotate", "--project", "retail", "--repository", repository]);
    expect(rotated.code, rotated.stderr).toBe(0);
    for (const id of [first, second, String(backupId)]) {
      const verified = await lc2.run(["backup", "verify", id]);
      expect(verified.code, verified.stderr).toBe(0);
    }
    await expectRestored(first, "restored-first", { without: "file second.txt" });
  });

  it("has a catalog in PostgreSQL that opens, shows what it held, and goes on", async () => {
    const catalog = await freshDatabase(server);
    try {
      const text = await readFile(join(lc2.folder, "catalog.sql"), "utf8");
      await server.psql(`SET ROLE "${catalog.owner.name}"; ${text}`, catalog.name);
      const environment = { DATABASE_URL: urlWithPassword(catalog.owner) };
      const held = await list(environment);
      expect(held).toMatchObject([{ status: "Failed" }, { backupId: second }, { backupId: first }]);
      await lc2.json(["repository", "scan", repository], environment);
      const library = join(lc2.folder, "press");
      const words = [
        "backup",
        "create",
        "--project",
        "retail",
        "--files",
        library,
        "--repository",
        repository,
      ];
      const made = await lc2.json(words, environment);
      expect(made).toMatchObject({ status: "Completed" });
      expect(await list(environment)).toContainEqual(expect.objectContaining({ backupId: made["backupId"] }));
    } finally {
      await catalog.drop();
    }
  });

  async function expectRestored(backupId: string, into: string, { without = "" } = {}): Promise<void> {
    const target = join(lc2.folder, into);
    await mkdir(target);
    const words = ["restore", "create", "--from", backupId, "--type", "storage-only", "--yes"];
    const restored = await lc2.run([...words, "--files", target]);
    expect(restored.code, restored.stderr).toBe(0);
    const before = await fingerprintFolder(join(lc2.folder, "press"));
    const wanted = new Map([...before].filter(([key]) => key !== without));
    expect(diffFingerprints(wanted, await fingerprintFolder(target))).toEqual([]);
  }
});

/**
 * The folder again where a test put it, at the place of then. What no program can set, its inodes and the times of
 * their last change, is said to be as the backup of then has it.
 */
function folderAsOfThen(path: string, url: string, then: readonly ManifestEntry[]): FileSource {
  const versions = new Map(then.map(({ key, version }) => [key, version]));
  const folder = openFolderSource(`file://${path}`);
  return {
    url,
    open: (key, size) => folder.open(key, size),
    hasRoomFor: (key) => folder.hasRoomFor(key),
    list: async function* (options) {
      for await (const batch of folder.list(options)) {
        yield batch.map((entry) => {
          const version = versions.get(entry.key);
          return version === undefined ? entry : { ...entry, version };
        });
      }
    },
  };
}
