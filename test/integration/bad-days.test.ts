/**
 * Bad input and bad days, typed as a stranger would: each has its own error code, a sentence with the next
 * step and the documented exit code, and leaves sources and earlier backups as they were.
 */
import { execFile } from "node:child_process";
import { chmod, cp, mkdir, readdir, readFile, rm, stat, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { diffFingerprints, fingerprintFolder } from "../../demo/fingerprint.ts";
import type { PostgresServer } from "../../demo/postgres-servers.ts";
import { openCommandLine, type CommandLine, type CommandResult } from "../support/command-line.ts";
import {
  freshDatabase,
  installations,
  majorsAvailable,
  useServer,
  type TestDatabase,
} from "../support/servers.ts";

const execute = promisify(execFile);

let server: PostgresServer;
let database: TestDatabase;
let line: CommandLine;
let files: string;
/** A whole backup of database and files that every test finds, and leaves, whole. */
let good: string;

beforeAll(async () => {
  server = await useServer((await majorsAvailable()).at(-1) ?? 0);
  database = await freshDatabase(server);
  await sql(
    `CREATE TABLE article (id int PRIMARY KEY, body text); CREATE TABLE secret (id int);
     INSERT INTO article SELECT n, repeat('text ', 50) FROM generate_series(1, 5000) n;
     SELECT lo_from_bytea(4711, 'a large object');`,
  );
  line = await openCommandLine();
  files = join(line.folder, "files");
  await mkdir(join(files, "below"), { recursive: true });
  for (let n = 0; n < 30; n += 1)
    await writeFile(join(files, "below", `${n}.txt`), `file ${n}\n`.repeat(n + 1));
  const made = await backup(["--database", database.owner.url, "--files", files]);
  if (made.code !== 0) throw new Error(made.stderr);
  good = (JSON.parse(made.stdout) as { backupId: string }).backupId;
});

afterAll(async () => {
  await line[Symbol.asyncDispose]();
  await database.drop();
});

async function sql(statements: string, target = database): Promise<void> {
  await server.psql(`SET ROLE "${target.owner.name}"; ${statements}`, target.name);
}

const env = (): Readonly<Record<string, string>> => database.owner.environment;

function backup(
  args: readonly string[],
  extra: Readonly<Record<string, string>> = env(),
): Promise<CommandResult> {
  const repository = args.includes("--repository") ? [] : ["--repository", line.repository];
  return line.run(["backup", "create", "--project", "retail", ...repository, ...args, "-o", "json"], extra);
}

interface Expected {
  readonly exit: number;
  readonly code: string;
  readonly says: RegExp;
}

/** The documented exit code, the registered code, a sentence that says what it is about; nothing on stdout. */
function expectFailure(result: CommandResult, { exit, code, says }: Expected): void {
  expect(result.stderr).toMatch(says);
  expect(result.stderr).toContain(`"code":"${code}"`);
  expect(result.code, result.stderr).toBe(exit);
  expect(result.stdout).toBe("");
  expect(result.stderr).not.toMatch(/\n\s+at .*\.ts:\d+/);
  expect(result.stderr).not.toContain(database.owner.password);
}

async function expectGoodIsWhole(): Promise<void> {
  const verified = await line.run(["backup", "verify", good, "-o", "json"]);
  expect(verified.code, verified.stderr).toBe(0);
}

const otherDatabase = (name: string): string => {
  const url = new URL(database.owner.url);
  url.pathname = `/${name}`;
  return url.href;
};

describe("what cannot work is refused before anything starts", () => {
  const cases: [string, () => readonly string[], Readonly<Record<string, string>> | undefined, Expected][] = [
    [
      "a wrong password",
      () => ["--database", database.owner.url],
      { PGPASSWORD: "not the one" },
      { exit: 1, code: "database-login-refused", says: /password/ },
    ],
    [
      "a password in the URL",
      () => ["--database", "postgres://app:open@db/lportal"],
      undefined,
      { exit: 2, code: "password-on-command-line", says: /PGPASSWORD/ },
    ],
    [
      "a server that is not there",
      () => ["--database", "postgres://app@127.0.0.1:1/lportal"],
      undefined,
      { exit: 1, code: "database-unreachable", says: /127\.0\.0\.1/ },
    ],
    [
      "a database that is not there",
      () => ["--database", otherDatabase("no_such_database")],
      undefined,
      { exit: 4, code: "database-not-found", says: /no_such_database/ },
    ],
    [
      "an unknown application",
      () => ["--files", files, "--application", "wordpress"],
      undefined,
      { exit: 2, code: "application-unknown", says: /liferay, drupal, bloomreach|liferay.*drupal/ },
    ],
    [
      "neither database nor files",
      () => [],
      undefined,
      { exit: 2, code: "nothing-to-back-up", says: /--database|--files/ },
    ],
    [
      "a folder that is not there",
      () => ["--files", join(files, "no")],
      undefined,
      { exit: 4, code: "source-not-found", says: /no folder/ },
    ],
    [
      "a file in place of a folder",
      () => ["--files", join(files, "below/1.txt")],
      undefined,
      { exit: 4, code: "source-not-found", says: /not a folder/ },
    ],
    [
      "client tools that are not there",
      () => ["--database", database.owner.url, "--tools", "/nowhere"],
      undefined,
      { exit: 1, code: "tools-missing", says: /\/nowhere/ },
    ],
    [
      "a repository that is somebody's folder",
      () => ["--files", files, "--repository", files],
      undefined,
      { exit: 3, code: "repository-occupied", says: /not a repository/ },
    ],
  ];
  it.each(cases)("%s", async (_, args, extra, expected) => {
    expectFailure(await backup(args(), { ...env(), ...extra }), expected);
  });

  it("an id that no backup has", async () => {
    const id = "backup-20200101-000000-abcdef";
    for (const verb of [
      ["backup", "get"],
      ["backup", "verify"],
      ["backup", "delete", "--yes"],
      ["backup", "browse"],
    ]) {
      const [noun = "", name = "", ...more] = verb;
      expectFailure(await line.run([noun, name, id, ...more, "-o", "json"]), {
        exit: 4,
        code: "backup-not-found",
        says: /backup-20200101-000000-abcdef/,
      });
    }
  });

  it("a role that may not read everything, with the statements that help", async () => {
    const reader = `reader_${database.name}`;
    await server.psql(`CREATE ROLE "${reader}" LOGIN PASSWORD 'reader-pw'`);
    await server.psql(`GRANT SELECT ON article TO "${reader}"`, database.name);
    const result = await backup(["--database", server.urlOf(database.name, reader)], {
      PGPASSWORD: "reader-pw",
    });
    expectFailure(result, { exit: 3, code: "rights-missing", says: /GRANT/ });
    expect(result.stderr).toContain("secret");
    await server.psql(`DROP OWNED BY "${reader}"; DROP ROLE "${reader}"`, database.name);
  });
});

describe("a source that is not what it was", () => {
  it("an empty one and a much smaller one are refused, unless that is wanted", async () => {
    const shrinking = join(line.folder, "shrinking");
    await cp(files, shrinking, { recursive: true });
    expect((await backup(["--files", shrinking])).code).toBe(0);
    for (let n = 0; n < 20; n += 1) await unlink(join(shrinking, "below", `${n}.txt`));
    expectFailure(await backup(["--files", shrinking]), {
      exit: 3,
      code: "source-shrank",
      says: /--max-shrink/,
    });
    for (let n = 20; n < 30; n += 1) await unlink(join(shrinking, "below", `${n}.txt`));
    const empty = await backup(["--files", shrinking]);
    expect(empty.code).toBe(3);
    expect(empty.stderr).toMatch(/source-(empty|shrank)/);
    expect(await backup(["--files", shrinking, "--max-shrink", "100%"])).toMatchObject({ code: 0 });
  });
});

describe("stored data that was tampered with", () => {
  let copy = "";
  const inBackup = (name: string): string => join(copy, "backups/retail", good, name);
  async function freshCopy(): Promise<void> {
    copy = join(line.folder, "tampered");
    await rm(copy, { recursive: true, force: true });
    await cp(line.repository, copy, { recursive: true });
  }
  const verify = () =>
    line.run(["backup", "verify", good, "--repository", copy, "--project", "retail", "-o", "json"]);
  const plan = () =>
    line.run(
      [
        "restore",
        "plan",
        "--from",
        good,
        "--repository",
        copy,
        "--project",
        "retail",
        "--database",
        otherDatabase("fresh_one"),
      ],
      env(),
    );

  const flip = async (name: string): Promise<void> => {
    const bytes = await readFile(inBackup(name));
    const middle = bytes.length >> 1;
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    await writeFile(inBackup(name), bytes);
  };
  const cut = async (name: string, length: (size: number) => number): Promise<void> => {
    const bytes = await readFile(inBackup(name));
    await writeFile(inBackup(name), bytes.subarray(0, length(bytes.length)));
  };
  const database_ = (suffix: string): string => `a1/database/${database.name}${suffix}`;

  const damages: [string, () => Promise<void>][] = [
    ["one flipped bit in the archive", () => flip(database_(".dump"))],
    ["one flipped bit in the table of contents", () => flip(database_(".toc"))],
    ["one flipped bit in the inventory", () => flip(database_(".inventory.json"))],
    ["one flipped bit in the roles", () => flip("a1/database/roles.sql")],
    ["one flipped bit in the manifest", () => flip("a1/files/manifest")],
    ["one flipped bit in a pack", async () => flip(`a1/files/${await aPack()}`)],
    ["one flipped bit in the keyring", () => flip("keyring.json")],
    ["an archive cut in the middle", () => cut(database_(".dump"), (size) => size >> 1)],
    ["an archive cut by one byte", () => cut(database_(".dump"), (size) => size - 1)],
    ["an archive cut after its header", () => cut(database_(".dump"), () => 40)],
    ["an empty manifest", () => cut("a1/files/manifest", () => 0)],
    [
      "two files swapped",
      async () => {
        const [a, b] = [
          await readFile(inBackup(database_(".toc"))),
          await readFile(inBackup("a1/database/roles.sql")),
        ];
        await writeFile(inBackup(database_(".toc")), b);
        await writeFile(inBackup("a1/database/roles.sql"), a);
      },
    ],
    [
      "metadata edited",
      async () => {
        const text = await readFile(inBackup("metadata.json"), "utf8");
        expect(text).toContain('"rows": 5000');
        await writeFile(inBackup("metadata.json"), text.replace('"rows": 5000', '"rows": 4999'));
      },
    ],
    ["metadata cut", () => cut("metadata.json", (size) => size >> 1)],
  ];
  const aPack = async (): Promise<string> =>
    (await readdir(inBackup("a1/files"))).find((name) => name.startsWith("pack-")) ?? "no pack";

  it.each(damages)("%s is found by verify, which ends with 6", async (_, damage) => {
    await freshCopy();
    await damage();
    const result = await verify();
    expect(result.code, result.stdout + result.stderr).toBe(6);
  });

  it("what a restore needs first is checked by its plan: metadata edited", async () => {
    await freshCopy();
    await writeFile(
      inBackup("metadata.json"),
      (await readFile(inBackup("metadata.json"), "utf8")).replace("5000", "1"),
    );
    expect(await plan()).toMatchObject({ code: 6 });
  });

  it("a damaged archive never becomes a restored database", async () => {
    await freshCopy();
    await flip(database_(".dump"));
    const result = await line.run(
      [
        "restore",
        "create",
        "--from",
        good,
        "--repository",
        copy,
        "--project",
        "retail",
        "--type",
        "database-only",
      ].concat(["--database", otherDatabase("must_not_be"), "-o", "json"]),
      env(),
    );
    expect(result.code, result.stderr).toBe(6);
    const left = await server.psql("SELECT count(*) FROM pg_database WHERE datname LIKE 'must_not_be%'");
    expect(left.trim()).toBe("0");
  });

  it("a newer format is refused in words", async () => {
    await freshCopy();
    const description = JSON.parse(await readFile(join(copy, "lc2-repository.json"), "utf8")) as object;
    await writeFile(join(copy, "lc2-repository.json"), JSON.stringify({ ...description, formatVersion: 2 }));
    const result = await line.run(["repository", "check", copy, "-o", "json"]);
    expectFailure(result, { exit: 3, code: "format-too-new", says: /newer lc2/ });
  });

  it("repository check names the damage and ends with 6; whole ones and leftovers end with 0", async () => {
    await freshCopy();
    await mkdir(inBackup("../backup-20200101-000000-abcdef/a1/database"), { recursive: true });
    await writeFile(inBackup("../backup-20200101-000000-abcdef/a1/database/half.dump"), "half");
    expect(await line.run(["repository", "check", copy])).toMatchObject({ code: 0 });
    await flip(database_(".dump"));
    const result = await line.run(["repository", "check", copy, "--read-data"]);
    expect(result.code).toBe(6);
    expect(result.stdout + result.stderr).toContain(`${database.name}.dump`);
    await expectGoodIsWhole();
  });
});

describe("a disk that ends, or is read-only", () => {
  it("a full repository ends the backup with nothing visible, and the next one succeeds", async (context) => {
    const mount = join(line.folder, "small");
    await mkdir(mount);
    const mounted = await execute("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", mount]).then(
      () => true,
      () => false,
    );
    context.skip(!mounted, "needs the right to mount a small file system");
    try {
      const large = join(line.folder, "large");
      await mkdir(large);
      const { randomBytes } = await import("node:crypto");
      await writeFile(join(large, "random.bin"), randomBytes(4 << 20));
      const repository = join(mount, "repository");
      const result = await backup(["--files", large, "--repository", repository]);
      expectFailure(result, { exit: 1, code: "disk-full", says: /no space left/ });
      const listed = await line.json(["backup", "list", "--status", "Completed"]);
      expect(JSON.stringify(listed)).not.toContain(repository);
      await rm(join(large, "random.bin"));
      await writeFile(join(large, "small.txt"), "fits\n");
      await line.run(["repository", "sweep", repository, "--min-age", "0s"]);
      const again = await backup(["--files", large, "--repository", repository]);
      expect(again.code, again.stderr).toBe(0);
    } finally {
      await execute("umount", [mount]);
    }
  });

  it("a read-only repository is refused in words", async (context) => {
    const readOnly = join(line.folder, "read-only");
    await cp(line.repository, readOnly, { recursive: true });
    const mounted = await execute("mount", ["--bind", "-o", "ro", readOnly, readOnly]).then(
      () => true,
      () => false,
    );
    context.skip(!mounted, "needs the right to mount read-only");
    try {
      expectFailure(await backup(["--files", files, "--repository", readOnly]), {
        exit: 1,
        code: "repository-read-only",
        says: /read-only|Check owner/,
      });
    } finally {
      await execute("umount", [readOnly]);
    }
  });
});

describe("restore targets", () => {
  const restore = (args: readonly string[], extra = env()) =>
    line.run(["restore", "create", "--from", good, ...args, "-o", "json"], extra);

  it("a missing database and folder are made", async () => {
    const name = `made_${database.name}`;
    const target = join(line.folder, "made/deep/folder");
    const result = await restore(["--database", otherDatabase(name), "--files", target]);
    expect(result.code, result.stderr).toBe(0);
    expect(diffFingerprints(await fingerprintFolder(files), await fingerprintFolder(target))).toEqual([]);
    expect((await server.psql("SELECT count(*) FROM article", name)).trim()).toBe("5000");
    await server.psql(`DROP DATABASE "${name}"`);
  });

  it("an occupied one is not written into when an empty one was promised", async () => {
    const result = await restore([
      "--type",
      "database-only",
      "--database",
      database.owner.url,
      "--into",
      "empty",
    ]);
    expectFailure(result, { exit: 3, code: "target-occupied", says: /--into/ });
  });

  it("a wrong approval is refused, and so is a plan that changed since", async () => {
    const result = await restore([
      "--type",
      "database-only",
      "--database",
      database.owner.url,
      "--approve",
      "0123456789abcdef",
    ]);
    expect(result.code).toBe(3);
    expect(result.stderr).toMatch(/approve/);
  });

  it("a target that is a symbolic link out of the folder is not followed", async () => {
    const target = join(line.folder, "linked");
    const outside = join(line.folder, "outside");
    await mkdir(target);
    await mkdir(outside);
    await symlink(outside, join(target, "below"));
    await restore(["--type", "storage-only", "--files", target]);
    expect(await readdir(outside)).toEqual([]);
  });
});

describe("a backup that failed", () => {
  it("can be taken off the list, though it stored nothing", async () => {
    await backup(["--files", join(files, "no"), "--repository", join(line.folder, "never-made")]);
    const failed = await line.json(["backup", "list", "--status", "Failed"]);
    const [newest] = failed["backups"] as { backupId: string }[];
    const id = newest?.backupId ?? "";
    const read = await line.run(["backup", "browse", id, "-o", "json"]);
    expect(read.code, read.stderr).toBe(4);
    const deleted = await line.run(["backup", "delete", id, "--yes"]);
    expect(deleted.code, deleted.stderr).toBe(0);
    expect(JSON.stringify(await line.json(["backup", "list"]))).not.toContain(id);
  });
});

describe("two at once", () => {
  it("on one data folder both succeed", async () => {
    const [one, two] = await Promise.all([
      backup(["--files", files]),
      backup(["--database", database.owner.url]),
    ]);
    expect(one.code, one.stderr).toBe(0);
    expect(two.code, two.stderr).toBe(0);
    expect(JSON.parse(one.stdout)).not.toMatchObject({
      backupId: (JSON.parse(two.stdout) as { backupId: string }).backupId,
    });
  });

  it("two installations share a repository: one deletes what the other still refers to", async () => {
    await using other = await openCommandLine();
    const keyfile = join(other.folder, "retail.key");
    await writeFile(keyfile, (await line.run(["key", "export", "--project", "retail"])).stdout);
    await other.run(["key", "import", keyfile]);
    const shared = join(line.folder, "shared");
    const source = join(line.folder, "shared-source");
    await cp(files, source, { recursive: true });
    const mine = JSON.parse((await backup(["--files", source, "--repository", shared])).stdout) as {
      backupId: string;
    };
    await writeFile(join(source, "more.txt"), "more\n");
    const theirs = await other.json([
      "backup",
      "create",
      "--project",
      "retail",
      "--files",
      source,
      "--repository",
      shared,
    ]);
    expect(await line.run(["backup", "delete", mine.backupId, "--yes"])).toMatchObject({ code: 0 });
    await line.run(["repository", "sweep", shared, "--min-age", "0s"]);
    const id = String(theirs["backupId"]);
    const verified = await other.run(["backup", "verify", id]);
    expect(verified.code, verified.stdout + verified.stderr).toBe(0);
    const target = join(other.folder, "restored");
    expect(await other.run(["restore", "create", "--from", id, "--files", target])).toMatchObject({
      code: 0,
    });
    expect(diffFingerprints(await fingerprintFolder(source), await fingerprintFolder(target))).toEqual([]);
  });
});

describe("keys", () => {
  it("a keyfile that others can read is closed to them, or refused with the command that closes it", async () => {
    const keyfile = join(line.folder, "data/keys/retail.key");
    await chmod(keyfile, 0o644);
    const result = await line.run(["backup", "verify", good]);
    const mode = (await stat(keyfile)).mode & 0o777;
    // Root may close it; who may not is told the command.
    expect([result.code, mode]).toEqual([0, 0o600]);
    await chmod(keyfile, 0o600);
  });

  it("a missing key is named with the way to bring it back", async () => {
    const keys = join(line.folder, "data/keys");
    await cp(keys, `${keys}.away`, { recursive: true });
    await rm(keys, { recursive: true });
    expectFailure(await line.run(["backup", "verify", good, "-o", "json"]), {
      exit: 3,
      code: "key-missing",
      says: /key import/,
    });
    // Nor is a second key made beside the backups of the first, which a recovery key would not open.
    expectFailure(await backup(["--files", files]), {
      exit: 3,
      code: "key-missing",
      says: /new --repository/,
    });
    await rm(keys, { recursive: true, force: true });
    await cp(`${keys}.away`, keys, { recursive: true });
    await expectGoodIsWhole();
  });

  it("no secret is in catalog, metadata or logs", async () => {
    const { stdout } = await execute("grep", ["-rlaF", database.owner.password, line.folder]).catch(
      (error: unknown) => error as { stdout: string },
    );
    expect(stdout).toBe("");
    const installed = await installations();
    expect(installed.length).toBeGreaterThan(0);
  });
});
