import { describe, expect, test } from "vitest";
import { createMemoryWorld } from "../../../test/support/memory-service.ts";
import { runInMemory, wordsOf } from "../../../test/support/memory-terminal.ts";
import { exampleBackup, examplePlan } from "../../../test/support/service-examples.ts";

const { backupId } = exampleBackup();
const { restoreId, hash } = examplePlan();
const database = "postgres://app@db:5432/lportal";
const both = ["--from", backupId, "--database", database, "--files", "/srv/dl"];

const plannedPage = `Plan 0123456789abcdef: restore (full) of backup-20261124-140000-3f9c2a, as of 2026-11-24 14:00:01 UTC

Database
  Target       postgres://app@db:5432/lportal
  How          into a new database beside it, then swapped with it (swap)
  Loaded as    lportal_restore_7b21cc
  Old kept as  lportal_retired_7b21cc
  Holds        5,200,000 rows, 1.06 GB
  Time         about 1 min 35 s
  Server       PostgreSQL 17.10, tools 17.10 in /usr/lib/postgresql/17/bin, 2 jobs
  Left out     EXTENSION pg_stat_statements: only a superuser can create it
  Breaks       3 sessions are ended

Files
  Target   file:///srv/dl
  How      merge: other files stay
  Changes  40 added, 2 overwritten, 0 removed, 49,958 already right
  Writes   12.0 MB
  Undo     what is overwritten or removed is kept for undo
  Time     about 3.0 s

Steps
  1. make database lportal_restore_7b21cc
  2. load 5,200,000 rows
  3. swap it with lportal

Know before you approve
  ! The target's server is newer than the source's.
`;

function blockedWorld() {
  const world = createMemoryWorld();
  const blockers = [
    { code: "target-too-old" as const, message: "The target is PostgreSQL 12; the backup needs 17." },
  ];
  world.plan = { ...examplePlan(), blockers };
  return world;
}

describe("restore plan", () => {
  test("is a page with hash, ways, steps and warnings", async () => {
    const { exitCode, stdout, stderr } = await runInMemory(["restore", "plan", ...both]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(plannedPage);
    expect(stderr).toMatch(/^To run exactly this plan: .* --approve [0-9a-z]+`\.\n$/);
  });

  test("what stands in the way is marked, and ends with exit code 3", async () => {
    const { exitCode, stdout, stderr } = await runInMemory(["restore", "plan", ...both], {
      world: blockedWorld(),
    });
    expect(exitCode).toBe(3);
    expect(stdout).toContain(
      "In the way: this plan cannot be run\n" +
        "  blocked  The target is PostgreSQL 12; the backup needs 17. (target-too-old)\n",
    );
    expect(stderr).toContain("error plan-blocked, exit code 3");
  });

  test("a blocked plan is still the JSON value on standard output", async () => {
    const { exitCode, stdout } = await runInMemory(["restore", "plan", ...both, "-o", "json"], {
      world: blockedWorld(),
    });
    expect(exitCode).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ hash, blockers: [{ code: "target-too-old" }] });
  });

  test("the project is the backup's where none is named", async () => {
    const found = await runInMemory(["restore", "plan", ...both]);
    expect(found.world.calls.map(({ method }) => method)).toEqual(["getBackup", "planRestore"]);
    expect(found.world.calls[1]?.arguments[0]).toMatchObject({ projectId: "retail" });
    const named = await runInMemory(["restore", "plan", ...both, "--project", "other"]);
    expect(named.world.calls.map(({ method }) => method)).toEqual(["planRestore"]);
    expect(named.world.calls[0]?.arguments[0]).toMatchObject({ projectId: "other" });
  });

  test("a backup that does not exist ends with exit code 4", async () => {
    const words = ["restore", "plan", "--from", "no-such-backup", "--database", database];
    expect((await runInMemory(words)).exitCode).toBe(4);
  });

  test.each([
    [["--database", database], "database-only"],
    [["--files", "/x"], "storage-only"],
    [["--database", database, "--files", "/x"], "full"],
    [["--files", "/x", "--include", "a/**"], "selective"],
    [["--database", database, "--table", "public.a"], "selective"],
    [["--database", database, "--type", "full"], "full"],
  ])("%j means a restore of type %s", async (words, restoreType) => {
    const { world } = await runInMemory(["restore", "plan", "--from", backupId, ...words]);
    expect(world.calls.at(-1)?.arguments[0]).toMatchObject({ restoreType });
  });

  test("asks the service for exactly what was written", async () => {
    const { world } = await runInMemory(
      wordsOf(`
    restore plan ${both.join(" ")} --type selective --include a/** --include b --table
    public.layout --mode mirror --into swap --drop-after 24h --jobs 4 --tools 17 --no-owner
    --create-roles --keep-sessions --repository /srv/backups
  `),
    );
    expect(world.calls.at(-1)?.arguments).toEqual([
      {
        projectId: "retail",
        backupId,
        restoreType: "selective",
        database: {
          url: database,
          into: "swap",
          tools: "17",
          jobs: 4,
          createRoles: true,
          endSessions: false,
          noOwner: true,
        },
        storage: { url: "file:///srv/dl", mode: "mirror" },
        include: ["a/**", "b"],
        tables: ["public.layout"],
        dropAfterSeconds: 86_400,
      },
      { repository: "file:///srv/backups" },
    ]);
  });
});

test("a limit of transfers is part of the plan's page", async () => {
  for (const [limit, words] of [
    [{ maxConcurrency: 4 }, "Transfers  at most 4 at a time"],
    [{ parallelTransfer: false }, "Transfers  one at a time"],
  ] as const) {
    const world = createMemoryWorld();
    const { files } = world.plan;
    if (files === undefined) throw new Error("the example has files");
    world.plan = { ...world.plan, files: { ...files, ...limit } };
    const { stdout } = await runInMemory(["restore", "plan", ...both], { world });
    expect(stdout).toContain(words);
  }
});

describe("restore create", () => {
  test("puts files into a bucket", async () => {
    const { world } = await runInMemory(
      wordsOf(
        `restore create --from ${backupId} --bucket s3://other/site --mode mirror --max-concurrency 4 --yes`,
      ),
    );
    expect(world.calls.find(({ method }) => method === "createRestore")?.arguments[0]).toMatchObject({
      restoreType: "storage-only",
      storage: { url: "s3://other/site", mode: "mirror", maxConcurrency: 4 },
    });
  });

  const result = `
restore-20261124-150000-7b21cc of backup-20261124-140000-3f9c2a: Completed in 1 min 40 s
  Database  lportal: 5,200,000 rows in 312 tables, 40 sequences, 1,024 large objects: equal to the backup
            swapped in
            the old one is kept as lportal_retired_7b21cc
  Left out  EXTENSION pg_stat_statements
  Files     40 added, 2 replaced, 0 removed, 49,958 unchanged
            12.0 MB written, 42 files read back and compared

To take it back:
  lc2 restore undo restore-20261124-150000-7b21cc
`;

  test("shows the plan, runs it without a question where there is no terminal, and says how to take it back", async () => {
    const { exitCode, stdout, stderr } = await runInMemory(["restore", "create", ...both]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(plannedPage + result);
    expect(stderr).not.toContain("[y/N]");
  });

  test("says of a bucket how its objects were proved, which were not read again", async () => {
    const world = createMemoryWorld();
    const { files } = world.plan;
    if (files === undefined) throw new Error("the example has files");
    world.plan = { ...world.plan, files: { ...files, url: "s3://other/site" } };
    const { stdout } = await runInMemory(["restore", "create", ...both], { world });
    expect(stdout).toContain(
      "12.0 MB written, 42 objects sent with a checksum, and found in the bucket again\n",
    );
  });

  test("asks on a terminal, and restores nothing unless the answer is yes", async () => {
    const refused = await runInMemory(["restore", "create", ...both], { answers: [""] });
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain(`Run this plan (${hash})? [y/N] `);
    expect(refused.stderr).toContain("Nothing was restored");
    expect(refused.stdout).toBe(plannedPage);
    const approved = await runInMemory(["restore", "create", ...both], { answers: ["yes"] });
    expect(approved.exitCode).toBe(0);
    expect(approved.stdout).toContain("To take it back:");
  });

  test.each([
    [["--yes"], undefined],
    [["--approve", hash], hash],
  ])("%j does not ask", async (words, approve) => {
    const { exitCode, stderr, world } = await runInMemory(["restore", "create", ...both, ...words], {
      answers: [],
    });
    expect(exitCode).toBe(0);
    expect(stderr).not.toContain("[y/N]");
    const options = world.calls.at(-1)?.arguments[1];
    expect(options).toHaveProperty("onPlan");
    expect(options).toEqual(expect.objectContaining(approve === undefined ? {} : { approve }));
  });

  test("a plan that was approved by its hash is not shown again", async () => {
    const { stdout } = await runInMemory(["restore", "create", ...both, "--approve", hash]);
    expect(stdout).toContain(`Plan ${hash} is as approved.`);
    expect(stdout).not.toContain("Know before you approve");
  });

  test("with -o json the plan that is asked about is on standard error, the result alone on standard output", async () => {
    const { stdout, stderr } = await runInMemory(["restore", "create", ...both, "-o", "json"], {
      answers: ["y"],
    });
    expect(JSON.parse(stdout)).toMatchObject({ restoreId, status: "Completed" });
    expect(stderr).toContain("Plan 0123456789abcdef");
  });

  test("a blocked plan is shown, asks nothing and ends with exit code 3", async () => {
    const options = { world: blockedWorld(), answers: ["y"] };
    const { exitCode, stdout, stderr } = await runInMemory(["restore", "create", ...both], options);
    expect(exitCode).toBe(3);
    expect(stdout).toContain("blocked  The target is PostgreSQL 12");
    expect(stderr).not.toContain("[y/N]");
  });

  test("--dry-run stops after the plan, and refuses one that is not the approved one", async () => {
    const planned = await runInMemory(["restore", "create", ...both, "--dry-run"]);
    expect(planned.exitCode).toBe(0);
    expect(planned.world.calls.map(({ method }) => method)).toEqual(["getBackup", "planRestore"]);
    const words = ["restore", "create", ...both, "--dry-run", "--approve", "ffffffffffffffff"];
    const changed = await runInMemory(words);
    expect(changed.exitCode).toBe(3);
    expect(changed.stderr).toContain("error plan-not-approved");
  });
});

describe("restore undo", () => {
  test("says what it will do, asks on a terminal, and reports what was taken back", async () => {
    const { exitCode, stdout, stderr } = await runInMemory(["restore", "undo", restoreId], {
      answers: ["y"],
    });
    expect(exitCode).toBe(0);
    expect(stderr).toContain("  - swap lportal_retired_7b21cc back to lportal");
    expect(stderr).toContain(`Undo ${restoreId}? [y/N] `);
    expect(stdout).toBe(`${restoreId} is undone
  the old database is back; the restored one is kept as lportal_undone
  40 files put back, 3 removed
`);
  });

  test("changes nothing on no, nor with --dry-run", async () => {
    const refused = await runInMemory(["restore", "undo", restoreId], { answers: ["n"] });
    expect(refused.exitCode).toBe(1);
    expect(refused.world.calls.map(({ method }) => method)).toEqual(["getRestore"]);
    const dry = await runInMemory(["restore", "undo", restoreId, "--dry-run"]);
    expect(dry.exitCode).toBe(0);
    expect(dry.world.calls.map(({ method }) => method)).toEqual(["getRestore"]);
    expect(dry.stdout).toContain("put back 2 files that were overwritten or removed, and remove 40 files");
  });
});

test("restore list, get, cancel and describe show what there is", async () => {
  const table = `RESTORE                         BACKUP                         TYPE  STATE      PROGRESS  AGE
restore-20261124-150000-7b21cc  backup-20261124-140000-3f9c2a  full  Completed     100 %   0s
`;
  expect((await runInMemory(["restore", "list"])).stdout).toBe(table);
  expect((await runInMemory(["restore", "get", restoreId])).stdout).toBe(table);
  expect((await runInMemory(["restore", "list", "-o", "name"])).stdout).toBe(`${restoreId}\n`);
  expect((await runInMemory(["restore", "cancel", restoreId])).stdout).toContain("Cancelled");
  const { stdout } = await runInMemory(["restore", "describe", restoreId]);
  expect(stdout).toContain("  Completed  2026-11-24 15:01:40 UTC, took 1 min 40 s\n");
  expect(stdout.endsWith(plannedPage)).toBe(true);
});
