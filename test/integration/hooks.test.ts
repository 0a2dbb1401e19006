/** Hooks of real backups and restores on a real server process: what they do, leave, say and undo. */
import { execFile } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openHooksMachine, type HooksMachine } from "../support/hooks-machine.ts";
import { startLc2Server, type Lc2Server } from "../support/lc2-server.ts";
import { freshDatabase, majorsAvailable, useServer, type TestDatabase } from "../support/servers.ts";
import { until } from "../support/until.ts";

const execute = promisify(execFile);
const base = "/api/v1/projects/retail";
const token = "a-secret-of-the-receiver";
const deployToken = "a-secret-of-the-export";

let database: TestDatabase;
let site: HooksMachine;
let server: Lc2Server;
const start = async (): Promise<Lc2Server> =>
  await startLc2Server(site.machine, {
    words: ["--on-stop", "handover"],
    env: { ...database.owner.environment, HOOK_TOKEN: token, DEPLOY_TOKEN: deployToken },
  });

beforeAll(async () => {
  database = await freshDatabase(await useServer((await majorsAvailable()).at(-1) ?? 0));
  site = await openHooksMachine();
  await query(
    `set role ${database.owner.name}; create table hook_log (said text); create table page (id integer)`,
  );
  server = await start();
});
afterAll(async () => {
  await server.stop();
  await site[Symbol.asyncDispose]();
  await database.drop();
});

const query = async (sql: string): Promise<string> => await database.server.psql(sql, database.name);

interface HookView {
  readonly name: string;
  readonly status: string;
  readonly output?: string;
  readonly tries?: number;
  readonly undo?: { readonly status: string };
}
interface View {
  readonly status: string;
  readonly backupId: string;
  readonly restoreId: string;
  readonly hooks: readonly HookView[];
  readonly error?: { readonly code: string; readonly message: string };
  readonly metadata?: { readonly components: { readonly hooks?: readonly { readonly name: string }[] } };
}

async function submit(kind: "backups" | "restores", body: object): Promise<string> {
  const made = await server.call("POST", `${base}/${kind}`, { body });
  if (made.status !== 201) throw new Error(made.text);
  return made.headers.get("location") ?? "";
}

const look = async (path: string): Promise<View> => JSON.parse((await server.call("GET", path)).text) as View;

async function ended(path: string): Promise<View> {
  await until(
    `${path} ends`,
    async () => ["Completed", "Failed", "Cancelled"].includes((await look(path)).status),
    60_000,
  );
  return await look(path);
}

const statuses = ({ hooks }: View) => Object.fromEntries(hooks.map(({ name, status }) => [name, status]));
const files = () => ({ storage: { url: `file://${site.source}` } });

describe("hooks around a backup", () => {
  test("run in order, leave their artifact in the backup, and say nothing secret", async () => {
    const path = await submit("backups", {
      ...files(),
      database: {
        url: database.owner.url,
        preBackupHooks: [
          {
            name: "export-config",
            command: "export '--site=main site'",
            storeArtifact: true,
            artifactPath: site.exported,
            timeout: 30,
          },
        ],
      },
      preBackupHooks: [
        {
          name: "tell-cms",
          http: {
            url: `${site.receiver.url}/hooks/before?x=1`,
            headers: { Authorization: "env:HOOK_TOKEN" },
            body: "{}",
          },
        },
        { name: "mark", sql: "insert into hook_log values ('before') returning said" },
      ],
      postBackupHooks: [
        { name: "after", command: "note backed-up", runOn: "always" },
        { name: "on-failure", command: "note failed", runOn: "failure" },
      ],
    });
    const view = await ended(path);
    expect(view.error).toBeUndefined();
    expect(statuses(view)).toEqual({
      "tell-cms": "Completed",
      mark: "Completed",
      "export-config": "Completed",
      after: "Completed",
      "on-failure": "Pending",
    });
    expect(await readFile(join(site.machine.folder, "notes"), "utf8")).toBe("backed-up Completed\n");
    expect(site.receiver.calls).toMatchObject([
      {
        method: "POST",
        path: "/hooks/before?x=1",
        body: "{}",
        headers: { authorization: token, "idempotency-key": `${view.backupId}/1/tell-cms` },
      },
    ]);
    const [http, sql, exported] = view.hooks;
    expect(http?.output).toBe("you said ***");
    expect(sql?.output).toBe('INSERT 1\n{"said":"before"}');
    // The database's password is no business of a command.
    expect(exported?.output).toBe(`exported for ${view.backupId} with token *** and .`);
    expect(view.metadata?.components.hooks?.map(({ name }) => name)).toEqual([
      "tell-cms",
      "mark",
      "export-config",
    ]);
    const everything = [view, (await server.call("GET", `${path}/logs`)).json, server.command.text()];
    expect(JSON.stringify(everything)).not.toMatch(new RegExp(`${token}|${deployToken}`));

    await checkArtifact(view.backupId);
    const verified = await server.call("POST", `${path}/verify`, { body: {} });
    expect(verified.json).toMatchObject({ damages: [] });
    const repository = join(site.machine.folder, "data/repository");
    const checked = await site.machine.json(["repository", "check", repository, "--read-data"]);
    expect(checked).toMatchObject({ damages: [], leftovers: [] });
    const copied = await site.machine.json([
      "backup",
      "copy",
      view.backupId,
      "--to",
      join(site.machine.folder, "copy"),
    ]);
    expect(copied).toMatchObject({ status: "Completed" });
    await site.machine.json([
      "backup",
      "verify",
      view.backupId,
      "--repository",
      join(site.machine.folder, "copy"),
    ]);
    const deleted = await site.machine.run(["backup", "delete", view.backupId, "--yes"]);
    expect(deleted.code).toBe(0);
    const { stdout } = await execute("find", [repository, "-type", "f"]);
    expect(stdout).not.toContain(view.backupId);
  });

  async function checkArtifact(backupId: string): Promise<void> {
    const listed = await site.machine.run(["backup", "browse", backupId]);
    expect(listed.stdout).toContain("hooks/export-config/artifact.tar");
    const tar = join(site.machine.folder, "artifact.tar");
    const got = await site.machine.run([
      "backup",
      "download",
      backupId,
      "hooks/export-config/artifact.tar",
      "--out",
      tar,
    ]);
    expect(got.stderr).not.toMatch(/error/i);
    expect((await stat(tar)).size).toBeGreaterThan(0);
    const { stdout } = await execute("tar", ["-xOf", tar, "./exported/site.yml"]);
    expect(stdout).toBe("site: --site=main site\n");
  }

  test("that are not allowed here are refused, each by name, and nothing is begun", async () => {
    const before = (await server.call("GET", `${base}/backups`)).json["total"];
    const refused = await server.call("POST", `${base}/backups`, {
      body: {
        ...files(),
        preBackupHooks: [
          { name: "one", command: "rm -rf /tmp/x" },
          { name: "two", command: "maintenance maybe" },
          { name: "three", http: { url: "http://169.254.169.254/latest" } },
          {
            name: "four",
            http: { url: `${site.receiver.url}/hooks/x`, headers: { "X-Key": "env:AWS_SECRET_ACCESS_KEY" } },
          },
          { name: "five", command: "maintenance on", storeArtifact: true, artifactPath: "/etc/shadow" },
        ],
      },
    });
    expect(refused.status).toBe(422);
    expect(refused.json["code"]).toBe("hook-not-allowed");
    for (const what of [
      '"rm"',
      '"maintenance"',
      "http://169.254.169.254",
      "env:AWS_SECRET_ACCESS_KEY",
      "/etc/shadow",
    ])
      expect(refused.json["detail"]).toContain(what);
    const malformed = await server.call("POST", `${base}/backups`, {
      body: {
        ...files(),
        preBackupHooks: [
          { name: "A b", command: "maintenance on; reboot" },
          { name: "none" },
          { name: "sql", sql: "select 1", timeout: 0 },
        ],
      },
    });
    expect(malformed.status).toBe(400);
    const problems = malformed.json["problems"] as { field: string }[];
    expect(problems.map(({ field }) => field)).toEqual([
      "preBackupHooks.0.name",
      "preBackupHooks.0.command",
      "preBackupHooks.1",
      "preBackupHooks.2.sql",
      "preBackupHooks.2.timeout",
    ]);
    expect((await server.call("GET", `${base}/backups`)).json["total"]).toBe(before);
    expect(await site.maintenance()).toEqual([]);
  });

  test("that fail make the backup fail, nothing is stored, and what was meant for that runs", async () => {
    const view = await ended(
      await submit("backups", {
        ...files(),
        preBackupHooks: [
          { name: "tolerated", command: "fail", onError: "continue" },
          { name: "needed", command: "fail", retries: 1 },
          { name: "never", command: "note never" },
        ],
        postBackupHooks: [
          { name: "on-success", command: "note success" },
          { name: "on-failure", command: "note failure", runOn: "failure" },
        ],
      }),
    );
    expect(view.status).toBe("Failed");
    expect(view.error).toMatchObject({ code: "hook-failed" });
    expect(view.error?.message).toMatch(/"needed" failed \(2 tries\).*exit code 3.*no such site/);
    expect(statuses(view)).toEqual({
      tolerated: "Failed",
      needed: "Failed",
      never: "Pending",
      "on-success": "Pending",
      "on-failure": "Completed",
    });
    expect(await readFile(join(site.machine.folder, "notes"), "utf8")).toMatch(/failure Failed\n$/);
    const scanned = await site.machine.json([
      "repository",
      "scan",
      join(site.machine.folder, "data/repository"),
    ]);
    expect(JSON.stringify(scanned)).not.toContain(`"backupId":"${view.backupId}"`);
  });

  test("that take too long are ended", async () => {
    const view = await ended(
      await submit("backups", {
        ...files(),
        preBackupHooks: [{ name: "endless", command: "gate never-opened", timeout: 1 }],
      }),
    );
    expect(view.error?.message).toContain("longer than 1 s");
  });

  test("that take too long are ended with all that they started, before they are tried again", async () => {
    const view = await ended(
      await submit("backups", {
        ...files(),
        preBackupHooks: [{ name: "linger", command: "linger", timeout: 1, retries: 1 }],
      }),
    );
    expect(view.hooks[0]).toMatchObject({ status: "Completed", tries: 2, output: "gone" });
  });

  test("keep what a link leads to if that may be kept, and no link alone", async () => {
    const keep = async (target: string, artifactPath: string): Promise<View> =>
      await ended(
        await submit("backups", {
          ...files(),
          preBackupHooks: [
            { name: "export-config", command: "export --site=linked" },
            { name: "link", command: `link ${target}`, storeArtifact: true, artifactPath },
          ],
        }),
      );
    const link = join(site.machine.folder, "links/link");
    const elsewhere = await keep(join(site.source, "page.html"), link);
    expect(elsewhere.error?.code).toBe("hook-not-allowed");
    expect(elsewhere.error?.message).toContain("page.html, which hooks may not keep");
    const onlyLinks = await keep(site.exported, join(site.machine.folder, "links"));
    expect(onlyLinks.error?.code).toBe("hook-artifact-missing");
    const nowhere = await keep(join(site.machine.folder, "nowhere"), link);
    expect(nowhere.error?.code).toBe("hook-artifact-missing");

    const { backupId, error } = await keep(site.exported, link);
    expect(error).toBeUndefined();
    const tar = join(site.machine.folder, "linked.tar");
    await site.machine.run(["backup", "download", backupId, "hooks/link/artifact.tar", "--out", tar]);
    const { stdout } = await execute("tar", ["-xOf", tar, "./exported/site.yml"]);
    expect(stdout).toBe("site: --site=linked\n");
  });
});

test("an environment's hooks run around those of the request, and a check says which are refused", async () => {
  const { machine, source } = site;
  const environment = (preBackupHooks: object[]) => ({
    storages: [{ url: `file://${source}` }],
    preBackupHooks,
    postBackupHooks: [{ name: "env-after", command: "note env-after" }],
  });
  const file = join(machine.folder, "environment.json");
  await writeFile(file, JSON.stringify(environment([{ name: "env-before", command: "note env-before" }])));
  await machine.json(["environment", "create", "live", "-f", file]);
  const readNotes = async () =>
    (await readFile(join(machine.folder, "notes"), "utf8").catch(() => ""))
      .split("\n")
      .map((line) => line.trim());
  const earlier = (await readNotes()).length - 1;
  const request = join(machine.folder, "request-hooks.json");
  const own = { preBackupHooks: [{ name: "own", command: "note own" }] };
  await writeFile(request, JSON.stringify(own));
  await machine.json(["backup", "create", "--environment", "live", "--hooks", request]);
  expect((await readNotes()).slice(earlier)).toEqual(["env-before", "own", "env-after Completed", ""]);

  await writeFile(file, JSON.stringify(environment([{ name: "wipe", command: "rm -rf /" }])));
  await machine.json(["environment", "create", "live", "-f", file, "--replace"]);
  const checked = await machine.run(["environment", "check", "live", "--for", "backup", "-o", "json"]);
  expect(checked.code).toBe(3);
  expect((JSON.parse(checked.stdout) as { checks: object[] }).checks).toContainEqual(
    expect.objectContaining({ subject: "backup hook wipe", result: "missing" }),
  );
  const refused = await machine.run(["backup", "create", "--environment", "live"]);
  expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('"rm" is not allowed here')]);
  // Other tests restore into the same folder out of another project.
  expect((await machine.run(["environment", "delete", "live"])).code).toBe(0);
});

describe("a hook that holds", () => {
  const held = (more: object = {}) => ({
    name: "quiesce",
    command: "maintenance on",
    undo: { command: "maintenance off" },
    ...more,
  });
  const since = async (known: readonly string[]) => (await site.maintenance()).slice(known.length);

  test("is undone when the data are read, before the backup is there", async () => {
    const known = await site.maintenance();
    const path = await submit("backups", {
      ...files(),
      preBackupHooks: [held(), { name: "waits", command: "gate held" }],
    });
    await until("the gate", async () => await site.isAtGate("held"));
    expect(statuses(await look(path))).toEqual({ quiesce: "Holding", waits: "InProgress" });
    expect(await since(known)).toEqual(["on"]);
    await site.openGate("held");
    const view = await ended(path);
    expect(view.status).toBe("Completed");
    expect(await since(known)).toEqual(["on", "off"]);
  });

  test("is undone when its worker is killed, and the backup fails", async () => {
    const known = await site.maintenance();
    const path = await submit("backups", {
      ...files(),
      preBackupHooks: [held(), { name: "waits", command: "gate worker-killed" }],
    });
    await until("the gate", async () => await site.isAtGate("worker-killed"));
    process.kill(-(await site.maintenanceWorker()), "SIGKILL");
    const view = await ended(path);
    expect(view).toMatchObject({ status: "Failed", error: { code: "hook-outcome-unknown" } });
    expect(view.hooks[0]).toMatchObject({ status: "Unknown", undo: { status: "Completed" } });
    expect(await since(known)).toEqual(["on", "off"]);
  });

  test("is undone when it holds longer than it may, and the backup fails", async () => {
    const known = await site.maintenance();
    const path = await submit("backups", {
      ...files(),
      preBackupHooks: [held({ maximumHold: 1 }), { name: "waits", command: "gate never" }],
    });
    const view = await ended(path);
    expect(view).toMatchObject({ status: "Failed", error: { code: "hook-hold-expired" } });
    expect((await since(known)).slice(0, 2)).toEqual(["on", "off"]);
  });

  test("is undone by its own worker when the server is killed", async () => {
    const known = await site.maintenance();
    const path = await submit("backups", {
      ...files(),
      preBackupHooks: [held(), { name: "waits", command: "gate server-killed" }],
    });
    await until("the gate", async () => await site.isAtGate("server-killed"));
    server.command.child.kill("SIGKILL");
    await server.command.ended();
    await until("it is undone", async () => (await since(known)).includes("off"));
    server = await start();
    await site.openGate("server-killed");
    expect((await ended(path)).status).toBe("Completed");
  });

  test("goes on holding when the server hands over to the next one, and is undone once", async () => {
    const known = await site.maintenance();
    const path = await submit("backups", {
      ...files(),
      preBackupHooks: [held(), { name: "waits", command: "gate replaced" }],
    });
    await until("the gate", async () => await site.isAtGate("replaced"));
    await server.stop();
    server = await start();
    await site.openGate("replaced");
    expect((await ended(path)).status).toBe("Completed");
    expect(await since(known)).toEqual(["on", "off"]);
  });

  test("is undone by the next server when server and workers are killed", async () => {
    const known = await site.maintenance();
    const path = await submit("backups", {
      ...files(),
      preBackupHooks: [held(), { name: "waits", command: "gate all-killed" }],
    });
    await until("the gate", async () => await site.isAtGate("all-killed"));
    const worker = await site.maintenanceWorker();
    // A stopped worker cannot react to the end of its parent.
    process.kill(-worker, "SIGSTOP");
    server.command.child.kill("SIGKILL");
    await server.command.ended();
    process.kill(-worker, "SIGKILL");
    expect(await since(known)).toEqual(["on"]);
    server = await start();
    await until("it is undone", async () => (await since(known)).includes("off"), 60_000);
    await site.openGate("all-killed");
    // What was taken from the queue begins anew.
    const view = await ended(path);
    expect(view.status).toBe("Completed");
    expect((await site.maintenance()).at(-1)).toBe("off");
  });
});

describe("hooks around a restore", () => {
  test("run on the target as it is then, and one that fails says what stays", async () => {
    await query("insert into page values (1)");
    const backup = await ended(await submit("backups", { database: { url: database.owner.url } }));
    expect(backup.status).toBe("Completed");
    await query("insert into page values (2)");
    const known = await site.maintenance();
    const view = await ended(
      await submit("restores", {
        backupId: backup.backupId,
        restoreType: "database-only",
        database: { url: database.owner.url },
        preRestoreHooks: [
          { name: "quiesce", command: "maintenance on", undo: { command: "maintenance off" } },
          { name: "count-before", sql: "select count(*)::int as pages from public.page" },
        ],
        postRestoreHooks: [
          { name: "count-after", sql: "select count(*)::int as pages from public.page" },
          { name: "reindex", http: { url: `${site.receiver.url}/hooks/reindex`, expectedStatus: [204] } },
        ],
      }),
    );
    expect(view.hooks.map(({ output }) => output)).toEqual([
      "",
      'SELECT 1\n{"pages":2}',
      'SELECT 1\n{"pages":1}',
      undefined,
    ]);
    expect((await site.maintenance()).slice(known.length)).toEqual(["on", "off"]);
    expect(view).toMatchObject({ status: "Failed", error: { code: "hook-failed" } });
    expect(view.error?.message).toMatch(
      /is restored and in its place.*"reindex" failed.*answered 202, not 204/,
    );
    const undone = await server.call("POST", `${base}/restores/${view.restoreId}/undo`);
    expect(undone.status).toBe(200);
    expect(await query("select count(*) from page")).toContain("2");
  });

  test("that fail beforehand leave the target as it is", async () => {
    const backup = await ended(await submit("backups", files()));
    await writeFile(join(site.source, "page.html"), "second");
    const view = await ended(
      await submit("restores", {
        backupId: backup.backupId,
        restoreType: "storage-only",
        storage: { url: `file://${site.source}` },
        preRestoreHooks: [{ name: "needed", command: "fail" }],
      }),
    );
    expect(view.status).toBe("Failed");
    expect(await readFile(join(site.source, "page.html"), "utf8")).toBe("second");
  });
});
