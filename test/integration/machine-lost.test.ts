import { execFile } from "node:child_process";
import { access, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDataset, dropDatasetRoles, type DatasetSummary } from "../../demo/dataset.ts";
import {
  diffFingerprints,
  type Difference,
  fingerprintDatabase,
  fingerprintFolder,
} from "../../demo/fingerprint.ts";
import type { PostgresServer } from "../../demo/postgres-servers.ts";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { runPython } from "../support/python.ts";
import {
  freshDatabase,
  installations,
  majorsAvailable,
  useServer,
  type TestDatabase,
} from "../support/servers.ts";

const execute = promisify(execFile);

/** The newest server: one backup of a database and its files, and the day after the machine burnt. */
let server: PostgresServer;
let database: TestDatabase;
let dataset: DatasetSummary;
let first: CommandLine;
let files: string;
let backupId: string;
let key: string;

beforeAll(async () => {
  const major = (await majorsAvailable()).at(-1) ?? 0;
  server = await useServer(major);
  database = await freshDatabase(server);
  first = await openCommandLine();
  files = join(first.folder, "files");
  dataset = await createDataset(server, database.name, files, {
    size: "tiny",
    owner: database.owner,
    staleView: false,
  });
  const created = await first.json(
    ["backup", "create", "--project", "retail", "--database", database.backup.url, "--files", files].concat([
      "--repository",
      first.repository,
    ]),
    database.backup.environment,
  );
  backupId = String(created["backupId"]);
  key = (await first.run(["key", "export", "--project", "retail"])).stdout;
});

afterAll(async () => {
  await first[Symbol.asyncDispose]();
  await database.drop();
  await dropDatasetRoles(server, dataset);
});

describe("with nothing but the repository and the exported key", () => {
  it("a new machine imports the key, scans, and restores everything", async () => {
    await using machine = await openCommandLine();
    const keyfile = join(machine.folder, "retail.key");
    await writeFile(keyfile, key);
    expect(await machine.run(["key", "import", keyfile])).toMatchObject({ code: 0 });
    const scan = await machine.run(["repository", "scan", first.repository]);
    expect(scan, scan.stderr).toMatchObject({ code: 0 });
    const listed = await machine.json(["backup", "list", "--project", "retail"]);
    expect(listed).toMatchObject({ total: 1, backups: [{ backupId, status: "Completed" }] });

    const target = join(machine.folder, "restored");
    await using empty = await freshDatabase(server);
    const args = ["restore", "create", "--from", backupId, "--database", empty.owner.url, "--files", target];
    const restored = await machine.run(args, empty.owner.environment);
    expect(restored, restored.stderr).toMatchObject({ code: 0 });
    expect(diffFingerprints(await fingerprintFolder(files), await fingerprintFolder(target))).toEqual([]);
    const before = await fingerprintDatabase(server, database.name);
    expect([...before.keys()].filter((what) => isContent({ what })).length).toBeGreaterThan(30);
    const rows = diffFingerprints(before, await fingerprintDatabase(server, empty.name)).filter(isContent);
    expect(rows).toEqual([]);
  });

  it("without the key the backups are listed, and reading one is refused with the way out", async () => {
    await using machine = await openCommandLine();
    const scan = await machine.run(["repository", "scan", first.repository]);
    expect(scan.code, scan.stderr).toBe(0);
    expect(scan.stderr + scan.stdout).toMatch(/key of project retail is not here/);
    const verify = await machine.run(["backup", "verify", backupId]);
    expect(verify).toMatchObject({ code: 3, stdout: "" });
    expect(verify.stderr).toMatch(/key import/);
  });

  it("another project's key of the same name is told from a damaged backup", async () => {
    await using machine = await openCommandLine();
    await mkdir(join(machine.folder, "one"));
    const other = join(machine.folder, "other");
    await machine.run([
      "backup",
      "create",
      "--project",
      "retail",
      "--files",
      join(machine.folder, "one"),
      "--repository",
      other,
    ]);
    const verify = await machine.run([
      "backup",
      "verify",
      backupId,
      "--repository",
      first.repository,
      "--project",
      "retail",
    ]);
    expect(verify.code, verify.stderr).toBe(3);
    expect(verify.stderr).toMatch(/key-wrong|key-missing/);
  });
});

describe("with this software gone", () => {
  it("the by-hand script gives archives that pg_restore reads, and every file under its name", async () => {
    const out = join(first.folder, "by-hand");
    const keyfile = join(first.folder, "paper.key");
    await writeFile(keyfile, key);
    const python = (await runPython("import sys; print(sys.executable)")).stdout.trim();
    const path = (await runPython("import sys; print(':'.join(p for p in sys.path if p))")).stdout.trim();
    const script = fileURLToPath(new URL("../../docs/operations/restore-by-hand.sh", import.meta.url));
    await execute("bash", [script, first.repository, "retail", backupId, keyfile, out], {
      env: { PATH: process.env["PATH"] ?? "", LC2_BY_HAND_PYTHON: python, PYTHONPATH: path },
    });
    expect(
      diffFingerprints(await fingerprintFolder(files), await fingerprintFolder(join(out, "files"))),
    ).toEqual([]);

    const archive = join(out, "database", `${database.name}.dump`);
    await access(archive);
    expect(await readFile(join(out, "database", "roles.sql"), "utf8")).toMatch(/ROLE/);
    await using empty = await freshDatabase(server);
    const tools = (await installations()).find((one) => one.major === server.installation.major);
    await execute(
      join(tools?.binDirectory ?? "", "pg_restore"),
      ["--no-owner", "-d", empty.superuser.url, archive],
      {
        env: { PATH: process.env["PATH"] ?? "", ...empty.superuser.environment },
      },
    );
    const before = await fingerprintDatabase(server, database.name, { definitions: false });
    const after = await fingerprintDatabase(server, empty.name, { definitions: false });
    expect(diffFingerprints(before, after).filter(isContent)).toEqual([]);
  });

  it("the by-hand script stops at a damaged byte instead of giving wrong data", async () => {
    const out = join(first.folder, "by-hand-damaged");
    const copy = join(first.folder, "damaged-repository");
    await execute("cp", ["-a", first.repository, copy]);
    const archive = join(copy, "backups/retail", backupId, "a1/database", `${database.name}.dump`);
    const bytes = await readFile(archive);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    await writeFile(archive, bytes);
    const keyfile = join(first.folder, "paper.key");
    await writeFile(keyfile, key);
    const python = (await runPython("import sys; print(sys.executable)")).stdout.trim();
    const path = (await runPython("import sys; print(':'.join(p for p in sys.path if p))")).stdout.trim();
    const script = fileURLToPath(new URL("../../docs/operations/restore-by-hand.sh", import.meta.url));
    const run = execute("bash", [script, copy, "retail", backupId, keyfile, out], {
      env: { PATH: process.env["PATH"] ?? "", LC2_BY_HAND_PYTHON: python, PYTHONPATH: path },
    });
    await expect(run).rejects.toThrow(/another SHA-256/);
    await rm(copy, { recursive: true });
  });
});

/** Rows, sequences and large objects; grants and owners differ, since another role owns the restored one. */
function isContent(difference: Difference): boolean {
  return /^(table|materialized view|sequence|large object) /.test(difference.what);
}
