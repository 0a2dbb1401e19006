import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createMemoryWorld } from "../../../test/support/memory-service.ts";
import { runInMemory } from "../../../test/support/memory-terminal.ts";
import { exampleBackup } from "../../../test/support/service-examples.ts";

const definition = { spec: {}, revision: 1, createdAtMs: 1, changedAtMs: 1 };

describe("repository", () => {
  test("check of a whole repository with leftovers ends well", async () => {
    const world = createMemoryWorld();
    world.check = {
      ...world.check,
      leftovers: [{ name: "backups/retail/backup-x/a1", sizeBytes: 3_000_000, ageSeconds: 7200 }],
    };
    const { exitCode, stdout } = await runInMemory(["repository", "check", "/srv/backups"], { world });
    expect(exitCode).toBe(0);
    expect(stdout).toBe(`whole  file:///srv/backups: 3 backups, 40 stored files, 1.00 MB read

1 leftover of unfinished runs, 3.00 MB; no damage. \`lc2 repository sweep\` removes them.
  backups/retail/backup-x/a1, 3.00 MB, 2 h old
`);
    expect(world.calls[0]?.arguments).toEqual(["file:///srv/backups", { readData: false }]);
  });

  test("check of a damaged one ends with exit code 6", async () => {
    const world = createMemoryWorld();
    const { backupId } = exampleBackup();
    const damage = {
      code: "backup-incomplete" as const,
      backupId,
      name: "a1/files/3",
      message: "It is missing.",
    };
    world.check = { ...world.check, damages: [damage] };
    const { exitCode, stdout } = await runInMemory(["repository", "check"], { world });
    expect(exitCode).toBe(6);
    expect(stdout).toContain(
      `  damaged  ${backupId}: a1/files/3\n           It is missing. (backup-incomplete)\n`,
    );
  });

  test.each([
    [["--read-data"], { readData: true }],
    [["--read-data-subset", "2/30"], { readData: true, subset: { part: 2, of: 30 } }],
    [["--project", "retail"], { readData: false, projectId: "retail" }],
  ])("check %j asks for %j", async (words, options) => {
    const { world } = await runInMemory(["repository", "check", ...words]);
    expect(world.calls[0]?.arguments).toEqual(["file:///var/lib/lc2/repository", options]);
  });

  test("set-copy says where backups are copied to, or that they are not", async () => {
    const words = ["repository", "set-copy", "/srv/backups"];
    const set = await runInMemory([...words, "--to", "s3://elsewhere/lc2"]);
    expect(set.world.calls).toEqual([
      { method: "setCopyTarget", arguments: ["file:///srv/backups", { to: "s3://elsewhere/lc2" }] },
    ]);
    expect(set.stdout).toBe(
      "Backups of file:///srv/backups are copied to s3://elsewhere/lc2 by `lc2 backup copy`\n",
    );
    const none = await runInMemory([...words, "--none"]);
    expect(none.world.calls[0]?.arguments).toEqual(["file:///srv/backups", {}]);
    expect(none.stdout).toBe("Backups of file:///srv/backups are not copied anywhere by default\n");
    for (const wrong of [words, [...words, "--none", "--to", "/x"]]) {
      const { exitCode, stderr } = await runInMemory(wrong);
      expect(exitCode).toBe(2);
      expect(stderr).toContain("--to: or --none must be given, and not both");
    }
  });

  test("scan shows what it found and names what is missing", async () => {
    const world = createMemoryWorld();
    const { metadata } = exampleBackup();
    world.scan = {
      repositoryId: "0f5e",
      backups: metadata === undefined ? [] : [metadata],
      unsealed: 2,
      carried: 1,
      copyTo: "s3://elsewhere/lc2",
      definitions: [
        { kind: "project", projectId: "retail", name: "retail", ...definition },
        { kind: "environment", projectId: "retail", name: "prod", ...definition },
      ],
      incomplete: [{ backupId: "backup-20261101-000000-000000", missing: ["a1/files/7"] }],
      notes: ["The key of project other is not here."],
    };
    const { exitCode, stdout } = await runInMemory(["repository", "scan", "--repository", "/srv/backups"], {
      world,
    });
    expect(exitCode).toBe(0);
    expect(stdout).toBe(`file:///srv/backups (0f5e): 1 backup found
BACKUP                         PROJECT    SIZE  AGE
backup-20261124-140000-3f9c2a  retail   167 MB   1h
1 folder of earlier backups with stored files that these refer to; no backup by itself
2 unsealed attempts, left alone
incomplete  backup-20261101-000000-000000 misses:
  a1/files/7
brought back: project retail, environment retail/prod
backups are copied to s3://elsewhere/lc2
note: The key of project other is not here.
`);
  });

  test("sweep leaves what is young alone, and only says so with --dry-run", async () => {
    const { stdout, world } = await runInMemory(["repository", "sweep", "--dry-run", "--min-age", "2h"]);
    expect(world.calls[0]?.arguments[1]).toEqual({ dryRun: true, minimumAgeSeconds: 7200 });
    expect(stdout).toContain(
      "Nothing was removed. A sweep would remove 2 stored files, 4.10 kB; 1 thing too young",
    );
    expect((await runInMemory(["repository", "sweep"])).stdout).toContain("Removed 2 stored files");
  });
});

test("probe says what the store can do, one line each, and a no is no failure", async () => {
  const { exitCode, stdout, world } = await runInMemory(["repository", "probe", "s3://backups/lc2/"]);
  expect(exitCode).toBe(0);
  expect(world.calls[0]).toEqual({ method: "probeRepository", arguments: ["s3://backups/lc2"] });
  expect(stdout).toBe(`s3://backups/lc2: no repository yet; the first backup makes it
  yes      conditional-create  Of two that create one object one is refused.
  no       versioning          A deleted object is gone at once.
  unknown  object-lock         The rights to ask are missing.
`);
  const json = await runInMemory(["repository", "probe", "s3://backups/lc2", "-o", "json"]);
  expect(JSON.parse(json.stdout)).toMatchObject({ repository: "s3://backups/lc2", repositoryFound: false });
});

describe("key", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "lc2-key-"));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  test("export prints the text and nothing else, or writes it for its owner alone", async () => {
    const printed = await runInMemory(["key", "export", "--project", "retail"]);
    expect(printed.stdout).toBe("# lc2 key of project retail\nsecret words\n");
    expect(printed.stderr).toBe("");
    const file = join(folder, "retail.key");
    const written = await runInMemory(["key", "export", "--project", "retail", "-o", file]);
    expect(written.stdout).toBe("");
    expect(await readFile(file, "utf8")).toBe(printed.stdout);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test("an existing file is not overwritten, and a recovery key is not made for it in vain", async () => {
    const file = join(folder, "retail.key");
    await writeFile(file, "older");
    for (const words of [["export"], ["recovery", "create"]]) {
      const { exitCode, world } = await runInMemory(["key", ...words, "-o", file]);
      expect(exitCode).toBe(3);
      expect(world.calls.map(({ method }) => method)).not.toContain("createRecoveryKey");
    }
    expect(await readFile(file, "utf8")).toBe("older");
    expect((await runInMemory(["key", "export", "-o", file, "--force"])).exitCode).toBe(0);
  });

  test("recovery create prints the private half once", async () => {
    const { stdout, stderr } = await runInMemory(["key", "recovery", "create", "--project", "retail"]);
    expect(stdout).toBe("LC2-RECOVERY private half\n");
    expect(stderr).toContain("Recovery key r-1 of project retail");
    expect(stderr).toContain("shown once and kept nowhere");
  });

  test("import reads a file or standard input", async () => {
    const file = join(folder, "retail.key");
    await writeFile(file, "text in a file");
    const fromFile = await runInMemory(["key", "import", file]);
    expect(fromFile.world.calls[0]?.arguments).toEqual(["text in a file", { dryRun: false }]);
    expect(fromFile.stdout).toBe("Project retail: 1 key added\n");
    const fromInput = await runInMemory(["key", "import"], { input: "piped text" });
    expect(fromInput.world.calls[0]?.arguments).toEqual(["piped text", { dryRun: false }]);
    const dry = await runInMemory(["key", "import", file, "--dry-run"]);
    expect(dry.world.calls[0]?.arguments).toEqual(["text in a file", { dryRun: true }]);
    expect(dry.stdout).toBe("Nothing was changed. Project retail: 1 key would be added\n");
    const missing = await runInMemory(["key", "import", join(folder, "missing")]);
    expect(missing.exitCode).toBe(1);
    expect(missing.stderr).toContain("error key-text-unreadable");
  });

  test("rotate says what was wrapped anew", async () => {
    const { stdout, stderr, world } = await runInMemory(["key", "rotate", "--project", "retail"]);
    expect(world.calls[0]?.arguments).toEqual(["retail", { dryRun: false }]);
    expect(stdout).toBe(
      "Project retail has a new key\n  Key       k-2\n  Keyrings  4 wrapped anew\n  Current   1 already\n",
    );
    expect(stderr).toContain("lc2 key export --project retail");
    const dry = await runInMemory(["key", "rotate", "--project", "retail", "--dry-run"]);
    expect(dry.stdout).toContain("Nothing was changed. Project retail would get a new key");
    expect(dry.stderr).toBe("");
  });
});

describe("doctor", () => {
  test("ends with 1 and the fix when something needed is wrong", async () => {
    const checks = [
      { name: "Node.js", state: "ok", finding: "26.10.0" },
      { name: "client tools", state: "failed", finding: "no pg_dump was found", fix: "Install them." },
    ] as const;
    const { exitCode, stdout } = await runInMemory(["doctor"], { checks });
    expect(exitCode).toBe(1);
    expect(stdout).toBe(`ok       Node.js       26.10.0
failed   client tools  no pg_dump was found
                       do: Install them.
1 needed thing is wrong.
`);
  });

  test("a warning is no failure", async () => {
    const checks = [
      { name: "disk space", state: "warning", finding: "1 GB free", fix: "Free some." },
    ] as const;
    const { exitCode, stdout } = await runInMemory(["doctor"], { checks });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("Ready.");
  });
});

test("demo ends as the demo ended", async () => {
  expect((await runInMemory(["demo"])).exitCode).toBe(0);
  expect((await runInMemory(["demo", "--keep"])).exitCode).toBe(1);
});

test("version names this software and what runs it", async () => {
  expect((await runInMemory(["version"])).stdout).toBe(`lc2 0.1.0 (Node.js ${process.versions.node})\n`);
  expect((await runInMemory(["--version"])).stdout).toBe("0.1.0\n");
});
