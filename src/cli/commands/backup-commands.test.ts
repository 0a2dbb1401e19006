import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createMemoryWorld } from "../../../test/support/memory-service.ts";
import { runInMemory, wordsOf } from "../../../test/support/memory-terminal.ts";
import { exampleBackup } from "../../../test/support/service-examples.ts";
import type { BackupView } from "../../contract/service.ts";
import { Failure } from "../../core/failure.ts";

const { backupId } = exampleBackup();
const database = "postgres://app@db:5432/lportal";

describe("backup create", () => {
  test("asks the service for exactly what was written", async () => {
    const { world } = await runInMemory(
      wordsOf(`
    backup create --project retail --application liferay --database ${database} --files /srv/dl
    --repository /srv/backups --exclude-generated --exclude *.tmp --exclude cache/** --exclude-path
    old --include-path docs --exclude-table cache_* --streams 3 --max-rate 20MB --tools 17
    --from-standby --max-shrink 10% --verify-source --rehash --allow-unreadable --lock-timeout
    1m30s
  `),
    );
    expect(world.calls).toEqual([
      {
        method: "createBackup",
        arguments: [
          {
            projectId: "retail",
            application: "liferay",
            provider: "local",
            database: {
              url: database,
              excludeTables: ["cache_*"],
              streams: 3,
              tools: "17",
              fromStandby: true,
              lockTimeoutMs: 90_000,
            },
            storage: {
              url: "file:///srv/dl",
              excludeGeneratedFiles: true,
              excludePatterns: ["*.tmp", "cache/**"],
              excludePaths: ["old"],
              includePaths: ["docs"],
              maxShrink: 0.1,
              verifySource: true,
              rehash: true,
              allowUnreadable: true,
            },
          },
          { repository: "file:///srv/backups", maxRateBytesPerSecond: 20_000_000 },
        ],
      },
    ]);
  });

  test("speaks of objects where a bucket was backed up, and of it as a bucket", async () => {
    const world = createMemoryWorld();
    const view = exampleBackup();
    const { metadata } = view;
    if (metadata?.components.files === undefined) throw new Error("the example has files");
    const files = { ...metadata.components.files, source: "s3://doclib/site" };
    world.backups.set(view.backupId, { ...view, metadata: { ...metadata, components: { files } } });
    const { stdout } = await runInMemory(["backup", "describe", view.backupId], { world });
    expect(stdout).toContain("s3://doclib/site");
    expect(stdout).toContain("50,000 objects, 1.20 GB; 900 folder markers");
    const created = await runInMemory(["backup", "create", "--bucket", "s3://doclib/site"]);
    expect(created.stdout).toContain(
      "restore plan --from backup-20261124-140000-3f9c2a --bucket s3://doclib/site",
    );
  });

  test("asks for a bucket as it asks for a folder", async () => {
    const { world } = await runInMemory(
      wordsOf(
        "backup create --bucket s3://doclib/site/?region=x --repository s3://backups --max-concurrency 8",
      ),
    );
    expect(world.calls[0]?.arguments).toMatchObject([
      { storage: { url: "s3://doclib/site?region=x", maxConcurrency: 8 } },
      { repository: "s3://backups" },
    ]);
    const single = await runInMemory(wordsOf("backup create --bucket s3://doclib --no-parallel-transfer"));
    expect(single.world.calls[0]?.arguments[0]).toMatchObject({ storage: { parallelTransfer: false } });
  });

  test("asks for nothing that was not written", async () => {
    const { world } = await runInMemory(["backup", "create", "--files", "/srv/dl", "--data-dir", "/data"]);
    expect(world.calls[0]?.arguments).toEqual([
      {
        projectId: "default",
        provider: "local",
        storage: {
          url: "file:///srv/dl",
          excludeGeneratedFiles: false,
          excludePatterns: [],
          excludePaths: [],
          includePaths: [],
          maxShrink: 0.5,
        },
      },
      {},
    ]);
  });

  test("ends with what was read, stored and counted, and the next commands", async () => {
    const words = [
      "backup",
      "create",
      "--project",
      "retail",
      "--database",
      `${database}?x=1`,
      "--files",
      "/srv/dl",
    ];
    const { stdout, stderr } = await runInMemory(words);
    expect(stdout).toBe(`backup-20261124-140000-3f9c2a of project retail: Completed in 13 s
  Database    lportal, PostgreSQL 17.10: 5,200,000 rows in 312 tables, 1,024 large objects
              read 1.06 GB, stored 142 MB: 7.5 : 1
  Files       50,000 files, 1.20 GB: 1,200 new or changed, 48,800 unchanged
              stored 24.0 MB in 3 packs and files
              7 left out by filters, 1 gone since last time, kept by reference
  Skew        0.8 s from the database's instant to the end of the file listing
  Stored      167 MB for 2.27 GB of data (13.6 : 1)
  Repository  file:///var/lib/lc2/repository

Next:
  lc2 backup verify backup-20261124-140000-3f9c2a
  lc2 restore plan --from backup-20261124-140000-3f9c2a --database 'postgres://app@db:5432/lportal?x=1' --files file:///srv/dl
`);
    expect(stderr).toBe("backup-20261124-140000-3f9c2a: accepted\n");
  });

  test("printed commands name the data directory when it was named", async () => {
    const { stdout } = await runInMemory(["backup", "create", "--files", "/srv/dl", "--data-dir", "/data"]);
    expect(stdout).toContain(`lc2 backup verify --data-dir /data ${backupId}\n`);
  });

  test("a project's first key is announced loudly on standard error", async () => {
    const world = createMemoryWorld();
    world.events = [{ type: "key-created", projectId: "retail", place: "/data/keys/retail.key" }];
    const { stderr, stdout } = await runInMemory(["backup", "create", "--files", "/x", "-q", "-o", "name"], {
      world,
    });
    expect(stderr).toContain("A key for project retail was made at /data/keys/retail.key.\n");
    expect(stderr).toContain("Without it the backups cannot be read");
    expect(stderr).toContain("lc2 key export --project retail -o retail.key");
    expect(stdout).toBe(`${backupId}\n`);
  });

  test("--dry-run says what would be done and starts nothing", async () => {
    const { stdout, world } = await runInMemory(["backup", "create", "--files", "/srv/dl", "--dry-run"]);
    expect(world.calls.map(({ method }) => method)).toEqual(["dryRunBackup"]);
    expect(stdout).toContain("Nothing was started. A backup would:\n  - read database lportal");
  });
});

describe("backup list", () => {
  test("is a table for people, with more columns when it is wide", async () => {
    const world = createMemoryWorld();
    const failed = {
      ...exampleBackup(),
      backupId: "backup-20261123-140000-000001",
      status: "Failed" as const,
    };
    const { size: _size, completedAt: _completedAt, application: _application, ...young } = failed;
    world.backups.set(young.backupId, { ...young, verifiedAt: "2026-11-24T14:30:00.000Z" });
    expect((await runInMemory(["backup", "list"], { world })).stdout).toBe(
      `BACKUP                         PROJECT  APP      STATE        SIZE  VERIFIED  AGE
backup-20261124-140000-3f9c2a  retail   liferay  Completed  167 MB             1h
backup-20261123-140000-000001  retail            Failed             30m ago    1h
`,
    );
    const { stdout } = await runInMemory(["backup", "list", "-o", "wide"], { world });
    expect(stdout.split("\n")[1]).toContain("2026-11-24T14:00:00.000Z  13 s  file:///srv/backups");
    expect((await runInMemory(["backup", "list", "-o", "name"], { world })).stdout).toBe(
      "backup-20261124-140000-3f9c2a\nbackup-20261123-140000-000001\n",
    );
  });

  test("says when there is more, and when there is nothing", async () => {
    const world = createMemoryWorld();
    for (let index = 0; index < 3; index += 1) {
      world.backups.set(`b${index}`, { ...exampleBackup(), backupId: `b${index}` });
    }
    const { stderr } = await runInMemory(["backup", "list", "--limit", "2"], { world });
    expect(stderr).toBe("2 of 4; more with --offset 2 or --limit\n");
    expect((await runInMemory(["backup", "list", "--project", "other"])).stdout).toBe("No backups found.\n");
  });

  test("hands its filters on", async () => {
    const { world } = await runInMemory(
      wordsOf(`
    backup list --project retail --application drupal --status completed --since 2026-11-01 --until
    2026-11-02 --limit 7 --offset 14
  `),
    );
    expect(world.calls[0]?.arguments).toEqual([
      {
        limit: 7,
        offset: 14,
        projectId: "retail",
        application: "drupal",
        status: "Completed",
        sinceMs: Date.parse("2026-11-01T00:00:00Z"),
        untilMs: Date.parse("2026-11-02T23:59:59.999Z"),
      },
    ]);
  });
});

test("backup describe is a page of everything that is known", async () => {
  const { stdout } = await runInMemory(["backup", "describe", backupId, "--repository", "/srv/backups"]);
  expect(stdout).toBe(`backup-20261124-140000-3f9c2a
  Project      retail
  Application  liferay
  State        Completed
  Created      2026-11-24 14:00:00 UTC
  Completed    2026-11-24 14:00:12 UTC, took 13 s
  Verified     not yet
  Repository   file:///srv/backups
  Request      request-1

Database
  Name           lportal at db:5432
  Server         PostgreSQL 17.10, read with pg_dump 17.10
  Instant        2026-11-24 14:00:01 UTC, LSN 0/16B3748
  Took           8.0 s
  Holds          5,200,000 rows in 312 tables
  Large objects  1,024
  On the server  1.40 GB
  Archives       a1/database/lportal.dump, 100 MB
                 a1/database/lportal.2.dump, 42.0 MB
  Compression    7.5 : 1 (1.06 GB to 142 MB)
  Rows left out  cache_*

Files
  Source      file:///srv/dl
  Listed      2026-11-24 14:00:01 UTC, took 0.6 s
  Holds       50,000 files, 1.20 GB; 900 folders, 2 symbolic links
  Stored now  1,200 files in 3 packs and files, 24.0 MB
  Unchanged   48,800
  Gone, kept  1
  Left out    7 by filters
  Needs       backup-20261123-140000-aaaaaa
  Filters     what the application makes again
              not *.tmp

Stored
  Stored   167 MB for 2.27 GB of data (13.6 : 1)
  Skew     0.8 s from the database's instant to the end of the file listing
  Sealed   2026-11-24 14:00:12 UTC, attempt 1
  Format   version 1, encryption client, written by lc2 0.1.0
  By hand  docs/operations/restore-by-hand.md
`);
});

describe("backup copy", () => {
  test("asks the service for what was written, and says where the backup is now", async () => {
    const words = [
      "backup",
      "copy",
      backupId,
      "--to",
      "/mnt/usb",
      "--max-rate",
      "20MB",
      "--repository",
      "/srv/b",
    ];
    const { stdout, world } = await runInMemory(words);
    expect(world.calls).toEqual([
      {
        method: "copyBackup",
        arguments: [
          { backupId, repository: "file:///srv/b" },
          { to: "file:///mnt/usb", maxRateBytesPerSecond: 20_000_000 },
        ],
      },
    ]);
    expect(stdout).toBe(`backup-20261124-140000-3f9c2a is copied and verified in 12 s
  From        file:///srv/backups
  To          file:///mnt/usb (a new repository)
  Copied      12 stored files, 34.0 MB
  Was there   2 stored files, 5.00 MB
  Came along  what it refers to of
              backup-20261123-140000-aaaaaa

Next:
  lc2 backup verify backup-20261124-140000-3f9c2a --repository file:///mnt/usb
`);
  });

  test("leaves the place to the repository when none is named, and says when nothing was to do", async () => {
    const world = createMemoryWorld();
    world.copy = { ...world.copy, wasThere: true };
    const { stdout } = await runInMemory(["backup", "copy", backupId], { world });
    expect(world.calls[0]?.arguments[1]).toEqual({});
    expect(stdout).toBe(`${backupId} is in file:///mnt/usb already, whole; nothing was copied\n`);
  });
});

test("backup list --repository asks for what is in one place", async () => {
  const { world } = await runInMemory(["backup", "list", "--repository", "s3://elsewhere/lc2"]);
  expect(world.calls[0]?.arguments).toEqual([{ limit: 50, repository: "s3://elsewhere/lc2" }]);
});

test("backup describe names the other places of a backup", async () => {
  const world = createMemoryWorld();
  world.backups.set(backupId, { ...exampleBackup(), alsoIn: ["file:///mnt/usb", "s3://elsewhere/lc2"] });
  const { stdout } = await runInMemory(["backup", "describe", backupId], { world });
  expect(stdout).toContain("  Also in      file:///mnt/usb\n               s3://elsewhere/lc2\n");
});

test("backup describe of one that failed names the error and its parts", async () => {
  const world = createMemoryWorld();
  const { metadata: _, ...view } = exampleBackup();
  const error = { code: "disk-full" as const, message: "No space.", retry: "never" as const };
  world.backups.set(backupId, {
    ...view,
    status: "Failed",
    error,
    components: { database: { status: "Completed" }, storage: { status: "Failed" } },
  });
  const { stdout } = await runInMemory(["backup", "describe", backupId], { world });
  expect(stdout).toContain("  State        Failed\n");
  expect(stdout).toContain("  Ended        2026-11-24 14:00:12 UTC, took 13 s\n");
  expect(stdout).toContain("  Error        No space. (disk-full)\n");
  expect(stdout).toContain("Components\n  Database  Completed\n  Files     Failed\n");
});

describe("backup explain", () => {
  const { metadata: _, completedAt: _end, ...open } = exampleBackup();
  const waitsSince = "2026-11-24T14:00:00.000Z";
  const reason = "10 backups run at once at most (LC2_MAX_BACKUPS)";
  const behind = { id: "backup-20261124-135900-aaaaaa", projectId: "shop" };
  const explain = async (view: BackupView) => {
    const world = createMemoryWorld();
    world.backups.set(backupId, view);
    return (await runInMemory(["backup", "explain", backupId], { world })).stdout;
  };

  test.each<[string, Partial<BackupView>, string]>([
    [
      "what it waits for",
      { status: "Queued", queue: { waitsSince, position: 3, of: 12, behind, reason } },
      `waits since 2026-11-24 14:00:00 UTC, position 3 of 12, behind ${behind.id} of project shop: ${reason}`,
    ],
    [
      "no more than the caller may know",
      { status: "Queued", queue: { waitsSince, position: 3, of: 12, reason } },
      `waits since 2026-11-24 14:00:00 UTC, position 3 of 12: ${reason}`,
    ],
    [
      "that it is about to begin",
      { status: "Queued", queue: { waitsSince, reason: "nothing is in its way" } },
      "waits since 2026-11-24 14:00:00 UTC: nothing is in its way",
    ],
    ["that it is being made", { status: "Pending" }, "is being made"],
    ["how far it is", { status: "Pending", progress: 42.7 }, "is being made, 42 % are done"],
    [
      "why it failed",
      { status: "Failed", error: { code: "disk-full", message: "No space.", retry: "never" } },
      "No space. (disk-full)",
    ],
    [
      "that it completed",
      { completedAt: "2026-11-24T14:00:12.500Z" },
      "completed 2026-11-24 14:00:12 UTC, not verified since",
    ],
    [
      "when it was verified",
      { completedAt: "2026-11-24T14:00:12.500Z", verifiedAt: "2026-11-24T15:00:00.000Z" },
      "completed 2026-11-24 14:00:12 UTC, last verified 2026-11-24 15:00:00 UTC",
    ],
  ])("says %s", async (_name, change, sentence) => {
    const view = { ...open, ...change };
    expect(await explain(view)).toBe(`${backupId} of project retail: ${view.status}\n  ${sentence}\n`);
  });

  test("stands in the descriptions too", async () => {
    const queue = { waitsSince, reason };
    const world = createMemoryWorld();
    world.backups.set(backupId, { ...open, status: "Queued", queue });
    const { stdout } = await runInMemory(["backup", "describe", backupId], { world });
    expect(stdout).toContain(`  Queue        waits since 2026-11-24 14:00:00 UTC: ${reason}\n`);
  });
});

test("backup logs shows time, level and every line", async () => {
  const { stdout } = await runInMemory(["backup", "logs", backupId]);
  expect(stdout).toBe(`2026-11-24T14:00:00.000Z  info   Started.
2026-11-24T14:00:05.000Z  warn   pg_dump: warning: circular foreign keys
                                 hint: none
`);
});

test("backup logs of a run that said nothing says so", async () => {
  const world = createMemoryWorld();
  world.logs = [];
  const { stdout } = await runInMemory(["backup", "logs", backupId], { world });
  expect(stdout).toBe("Nothing was said while it ran; `describe` shows how it went.\n");
});

describe("backup browse", () => {
  test("lists tables and files as they come, names made safe", async () => {
    const { stdout, stderr, world } = await runInMemory(["backup", "browse", backupId, "reports/**"]);
    expect(world.calls.at(-1)?.arguments).toEqual([{ backupId }, "reports/**"]);
    expect(stdout).toBe(`table      56.8 kB               1,234 rows  public.layout
table                         rows left out  public.cache_page
folder              2026-11-20 10:00:00 UTC  reports
file       1.50 MB  2026-11-20 10:00:00 UTC  reports/a\\u001b[2J.pdf
`);
    expect(stderr).toBe("2 tables, 1 file, 1.50 MB\n");
  });

  test("writes one JSON value, however many items there are", async () => {
    for (const items of [createMemoryWorld().items, []]) {
      const world = createMemoryWorld();
      world.items = items;
      const { stdout } = await runInMemory(["backup", "browse", backupId, "-o", "json"], { world });
      expect(JSON.parse(stdout)).toEqual({ items, tables: 2, files: 1, bytes: 1_500_000 });
    }
  });

  test("stops, and does not fail, when the reader of its output went away", async () => {
    const world = createMemoryWorld();
    world.hang = true;
    const { exitCode, stderr } = await runInMemory(["backup", "browse", backupId], {
      world,
      stdoutClosed: true,
    });
    expect(exitCode).toBe(0);
    expect(stderr).toBe("");
  });
});

describe("backup verify", () => {
  test("says that every byte was read and found whole", async () => {
    const { exitCode, stdout } = await runInMemory(["backup", "verify", backupId]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      `whole  ${backupId}: 142 MB in 7 stored files and pack members read, 1.07 GB decrypted and compared; 50,012 objects checked\n`,
    );
  });

  test("damage is named, and ends with exit code 6", async () => {
    const world = createMemoryWorld();
    const damage = { code: "data-damaged" as const, name: "a1/files/3", message: "Segment 2 fails its tag." };
    world.verification = { ...world.verification, damages: [damage] };
    const { exitCode, stdout } = await runInMemory(["backup", "verify", backupId], { world });
    expect(exitCode).toBe(6);
    expect(stdout).toContain("1 damage in backup-20261124-140000-3f9c2a");
    expect(stdout).toContain("  damaged  a1/files/3\n           Segment 2 fails its tag. (data-damaged)\n");
  });

  test("a scratch restore that differs ends with exit code 6", async () => {
    const world = createMemoryWorld();
    const restored = {
      database: "lc2_verify_1",
      tables: 3,
      rows: 10,
      differences: ["public.a: 9 rows, not 10"],
    };
    world.verification = { ...world.verification, restored };
    const words = ["backup", "verify", backupId, "--restore", "--database", database];
    const { exitCode, stdout } = await runInMemory(words, { world });
    expect(world.calls[0]?.arguments).toEqual([{ backupId }, { restoreInto: database }]);
    expect(exitCode).toBe(6);
    expect(stdout).toContain(
      "differs  10 rows in 3 tables restored into lc2_verify_1:\n  public.a: 9 rows, not 10\n",
    );
  });
});

describe("backup delete", () => {
  test("asks on a terminal and deletes nothing unless the answer is yes", async () => {
    const { exitCode, stderr, world } = await runInMemory(["backup", "delete", backupId], {
      answers: ["no"],
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`Delete ${backupId} of project retail for good? [y/N] `);
    expect(stderr).toContain("Nothing was deleted");
    expect(world.calls.map(({ method }) => method)).toEqual(["getBackup"]);
  });

  test.each([
    ["yes on a terminal", [], ["y"]],
    ["--yes", ["--yes"], []],
  ])("deletes with %s, and reports what became of keys and bytes", async (_, words, answers) => {
    const { exitCode, stdout, world } = await runInMemory(["backup", "delete", backupId, ...words], {
      answers,
    });
    expect(exitCode).toBe(0);
    expect(world.backups.size).toBe(0);
    expect(stdout).toBe(`${backupId} is deleted
  Keys       destroyed
  Deleted    12 stored files, 34.0 MB
  Kept       2 stored files, 5.00 MB, which other backups refer to
  Files key  held until the last of these is deleted:
             backup-20261124-140000-aaaaaa
`);
  });

  test("asks nothing without a terminal, and changes nothing with --dry-run", async () => {
    const { exitCode, stdout, stderr, world } = await runInMemory([
      "backup",
      "delete",
      backupId,
      "--dry-run",
    ]);
    expect(exitCode).toBe(0);
    expect(stderr).toBe("");
    expect(world.backups.size).toBe(1);
    expect(stdout).toContain("would be deleted; nothing was changed");
  });
});

describe("backup download", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "lc2-download-"));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });
  const words = (...more: string[]) => ["backup", "download", backupId, "reports/a.pdf", ...more];

  test("a file appears under its name only when it is whole", async () => {
    const target = join(folder, "a.pdf");
    const { exitCode, stdout, stderr } = await runInMemory(words("-o", target));
    expect(exitCode).toBe(0);
    expect(stdout).toBe("");
    expect(await readFile(target, "utf8")).toBe("content of the file\n");
    expect(stderr).toContain(`${target}: 20 B, SHA-256 abab`);
    expect(await readdir(folder)).toEqual(["a.pdf"]);
  });

  test("nothing is left of a download that failed", async () => {
    const world = createMemoryWorld();
    world.failNext = new Failure("data-damaged", "Damaged.");
    const { exitCode } = await runInMemory(words("-o", join(folder, "a.pdf")), { world });
    expect(exitCode).toBe(6);
    expect(await readdir(folder)).toEqual([]);
  });

  test("an existing file is left alone unless --force is given", async () => {
    const target = join(folder, "a.pdf");
    await writeFile(target, "mine");
    const { exitCode, stderr, world } = await runInMemory(words("-o", target));
    expect(exitCode).toBe(3);
    expect(stderr).toContain("exists");
    expect(world.calls).toEqual([]);
    expect(await readFile(target, "utf8")).toBe("mine");
    expect((await runInMemory(words("-o", target, "--force"))).exitCode).toBe(0);
    expect(await readFile(target, "utf8")).toBe("content of the file\n");
  });

  test("a folder is no place for a file, nor is one that cannot be written", async () => {
    expect((await runInMemory(words("-o", folder))).exitCode).toBe(3);
    const { exitCode, stderr } = await runInMemory(words("-o", join(folder, "missing", "a.pdf")));
    expect(exitCode).toBe(1);
    expect(stderr).toContain("Cannot write into");
  });

  test("- is standard output, which the worker writes itself; never a terminal without --force", async () => {
    const piped = await runInMemory(words("-o", "-"));
    expect(piped.exitCode).toBe(0);
    expect(piped.world.calls[0]?.arguments).toEqual([{ backupId }, "reports/a.pdf", 1]);
    const shown = await runInMemory(words("-o", "-"), { terminal: true });
    expect(shown.exitCode).toBe(3);
    expect(shown.world.calls).toEqual([]);
    expect((await runInMemory(words("-o", "-", "--force"), { terminal: true })).exitCode).toBe(0);
  });

  test("a reader that stopped reading is no message, but not success either", async () => {
    const world = createMemoryWorld();
    world.failNext = new Failure("cancelled", "Whoever read the download stopped reading.");
    const { exitCode, stderr } = await runInMemory(words("-o", "-"), { world });
    expect(exitCode).toBe(1);
    expect(stderr).toBe("");
  });

  test("the downloaded file is for its owner alone", async () => {
    const target = join(folder, "a.pdf");
    await runInMemory(words("-o", target));
    expect((await stat(target)).mode & 0o777).toBe(0o600);
  });
});
