import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createMemoryWorld } from "../../../test/support/memory-service.ts";
import { runInMemory, wordsOf } from "../../../test/support/memory-terminal.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lc2-definitions-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe("project", () => {
  test("create says what is given, and that it must be new", async () => {
    const words = wordsOf(
      "project create north --tz Europe/Berlin --repository s3://backups/retail --keep-daily 7 --keep-last 3 --max-operations 2",
    );
    const { exitCode, stdout, stderr, world } = await runInMemory(words);
    expect(exitCode).toBe(0);
    expect(world.calls).toEqual([
      {
        method: "putProject",
        arguments: [
          {
            projectId: "north",
            repository: "s3://backups/retail",
            timeZone: "Europe/Berlin",
            maxConcurrentOperations: 2,
            retention: { last: 3, daily: 7 },
          },
          { condition: "absent", dryRun: false },
        ],
      },
    ]);
    expect(stderr).toBe("Project north: made.\n");
    expect(stdout).toContain("last 3, daily 7 (not applied by this version)");
  });

  test("create takes a file, and what is said beside it wins", async () => {
    const file = join(folder, "retail.yaml");
    await writeFile(file, "projectId: retail\ntimeZone: UTC\nretention: { daily: 7 }\n");
    const words = ["project", "create", "-f", file, "--tz", "Asia/Tokyo", "--replace", "--dry-run"];
    const { stderr, world } = await runInMemory(words);
    expect(world.calls[0]?.arguments).toEqual([
      { projectId: "retail", timeZone: "Asia/Tokyo", retention: { daily: 7 } },
      { condition: "any", dryRun: true },
    ]);
    expect(stderr).toBe("Project retail: Nothing was done. It would be changed.\n");
    expect(world.projects.get("retail")?.timeZone).toBe("UTC");
  });

  test("create names everything that is wrong with a file, and reads standard input", async () => {
    const file = join(folder, "retail.json");
    await writeFile(
      file,
      JSON.stringify({ projectId: "retail", colour: "red", retention: { daily: "many" } }),
    );
    const { exitCode, stderr } = await runInMemory(["project", "create", "-f", file]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("colour: There is no such field.");
    expect(stderr).toContain("retention.daily: It must be integer");
    const broken = await runInMemory(["project", "create", "-f", "-"], { input: "a: [1" });
    expect(broken.stderr).toContain("standard input is no YAML");
    const read = await runInMemory(["project", "create", "-f", "-"], { input: "projectId: shop" });
    expect(read.world.projects.has("shop")).toBe(true);
    const missing = await runInMemory(["project", "create", "-f", join(folder, "none")]);
    expect(missing.exitCode).toBe(2);
    expect((await runInMemory(["project", "create"])).stderr).toContain("Which project?");
  });

  test("list, get and delete show what there is", async () => {
    const world = createMemoryWorld();
    expect((await runInMemory(["project", "list", "-o", "name"], { world })).stdout).toBe("retail\n");
    expect((await runInMemory(["project", "list", "-o", "wide"], { world })).stdout).toContain(
      "retail   UTC",
    );
    expect((await runInMemory(["project", "get", "retail"], { world })).stdout).toContain(
      "the installation's own",
    );
    expect((await runInMemory(["project", "get", "none"], { world })).exitCode).toBe(4);
    const dry = await runInMemory(["project", "delete", "retail", "--dry-run"], { world });
    expect(dry.stdout).toBe("Nothing was forgotten. Project retail would be; its backups would stay.\n");
    const gone = await runInMemory(["project", "delete", "retail"], { world });
    expect(gone.stdout).toBe("Project retail is forgotten; its backups stay.\n");
    expect((await runInMemory(["project", "list"], { world })).stdout).toContain("No projects");
  });
});

describe("environment", () => {
  test("create says what is given, secrets by reference", async () => {
    const words = wordsOf(
      "environment create prod --project retail --role production --database postgres://lc2@db/lportal --password env:RETAIL_DB --bucket s3://media --access-key-id env:ID --secret-access-key file:/run/key --allow-source prod",
    );
    const { exitCode, stdout, world } = await runInMemory(words);
    expect(exitCode).toBe(0);
    expect(world.calls[0]?.arguments[0]).toEqual({
      projectId: "retail",
      name: "prod",
      role: "production",
      allowedSources: ["prod"],
      databases: [{ url: "postgres://lc2@db/lportal", password: "env:RETAIL_DB" }],
      storages: [
        { url: "s3://media", credentials: { accessKeyId: "env:ID", secretAccessKey: "file:/run/key" } },
      ],
    });
    expect(stdout).toContain("yes: a restore into it needs its plan's hash");
  });

  test("create takes several of a kind from a file", async () => {
    const file = join(folder, "prod.yaml");
    await writeFile(
      file,
      "databases:\n  - { name: main, url: 'postgres://db/a' }\n  - { name: reports, url: 'postgres://db/b' }\n",
    );
    const { world } = await runInMemory(["environment", "create", "prod", "-f", file, "--unprotected"]);
    expect(world.calls[0]?.arguments[0]).toMatchObject({
      projectId: "default",
      name: "prod",
      protected: false,
      databases: [{ name: "main" }, { name: "reports" }],
    });
  });

  test("create refuses what does not go together", async () => {
    const { exitCode, stderr } = await runInMemory(
      wordsOf(
        "environment create x --protected --unprotected --password env:A --files /a --bucket s3://abc --access-key-id env:B",
      ),
    );
    expect(exitCode).toBe(2);
    for (const said of [
      "--unprotected: does not go with --protected",
      "--bucket: does not go with --files",
      "--password: only makes sense with --database",
      "--access-key-id: does not go with one key alone",
    ])
      expect(stderr).toContain(said);
    expect((await runInMemory(wordsOf("environment create --files /a"))).stderr).toContain(
      "Which environment?",
    );
  });

  test("list, get and delete show what there is", async () => {
    const world = createMemoryWorld();
    expect((await runInMemory(["environment", "list"], { world })).stdout).toContain(
      "prod         default  production, protected               1 set of files",
    );
    expect((await runInMemory(["environment", "list", "-o", "wide"], { world })).stdout).toContain(
      "file:///srv/dl",
    );
    expect((await runInMemory(["environment", "get", "prod", "-o", "name"], { world })).stdout).toBe(
      "prod\n",
    );
    expect((await runInMemory(["environment", "get", "none"], { world })).exitCode).toBe(4);
    expect((await runInMemory(["environment", "delete", "prod"], { world })).stdout).toContain(
      "is forgotten",
    );
    expect((await runInMemory(["environment", "list"], { world })).stdout).toContain("No environments");
  });

  test("check prints what gives the rights that miss, and ends with exit code 3", async () => {
    const world = createMemoryWorld();
    const whole = await runInMemory(["environment", "check", "prod"], { world });
    expect([whole.exitCode, whole.stdout]).toEqual([0, "ok       database main: connect\n"]);
    world.checks = {
      checks: [
        {
          subject: "database main",
          right: "create databases",
          result: "missing",
          message: "It may not.",
          remedy: ['ALTER ROLE "app" CREATEDB;'],
        },
      ],
    };
    const words = ["environment", "check", "prod", "--for", "restore"];
    const { exitCode, stdout } = await runInMemory(words, { world });
    expect(exitCode).toBe(3);
    expect(stdout).toBe(`missing  database main: create databases
         It may not.
           ALTER ROLE "app" CREATEDB;
`);
    expect(world.calls.at(-1)?.arguments).toEqual([
      { projectId: "default", name: "prod" },
      { purposes: ["restore"] },
    ]);
  });
});
