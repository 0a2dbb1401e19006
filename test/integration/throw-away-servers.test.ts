import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, readFile, rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { openClient, startPostgres } from "../../demo/postgres-servers.ts";
import { freshDatabase, installations, majorsAvailable, useServer } from "../support/servers.ts";
import { until } from "../support/until.ts";

const majors = await majorsAvailable();

test("every supported major can be had on this machine", () => {
  expect(majors).toEqual(process.arch === "x64" ? [13, 14, 15, 16, 17, 18] : [15, 16, 17, 18]);
});

describe.each(majors)("PostgreSQL %i", (major) => {
  test("runs as the major it says, with client tools of this or the next newer major", async () => {
    const server = await useServer(major);
    const [row] = await server.query("SELECT current_setting('server_version_num')::int / 10000 AS major");
    expect(row?.["major"]).toBe(major);
    expect(await server.psql("\\echo :VERSION_NAME")).toMatch(
      server.installation.hasClientTools ? new RegExp(`^${major}\\.`) : /^1[5-9]\./,
    );
  });

  test("gives a database whose owner is an ordinary role and whose backup role cannot write", async () => {
    await using database = await freshDatabase(await useServer(major));
    const owner = await openClient(database.owner.url, database.owner.password);
    await owner.query("CREATE TABLE notes (body text); INSERT INTO notes VALUES ('kept')");
    expect(
      (await owner.query<{ lo: number }>("SELECT lo_from_bytea(0, 'x') AS lo")).rows[0]?.lo,
    ).toBeGreaterThan(0);
    await expect(owner.query("CREATE ROLE intruder")).rejects.toThrow(/permission denied/);
    await owner.end();

    const { url, password } = database.backup;
    const backup = await openClient(url, password);
    expect((await backup.query("SELECT body FROM notes")).rows).toEqual([{ body: "kept" }]);
    expect((await backup.query("SELECT lo_get(oid) AS bytes FROM pg_largeobject_metadata")).rowCount).toBe(1);
    await expect(backup.query("DELETE FROM notes")).rejects.toThrow(/read-only/);
    await backup.end();
  });
});

describe("a throw-away server", () => {
  test("refuses a wrong password", async () => {
    const server = await useServer(majors.at(-1) ?? 0);
    await expect(openClient(server.url, "wrong")).rejects.toThrow(/password authentication failed/);
  });

  test("takes everybody without a password when asked to", async () => {
    await using server = await startPostgres(await oneInstallation(), { authentication: "trust" });
    const client = await openClient(server.url);
    expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await client.end();
  });

  test("comes back with its committed rows after a kill -9, in the same folder", async () => {
    const installation = await oneInstallation();
    const first = await startPostgres(installation, { fsync: true });
    await first.psql("CREATE TABLE kept AS SELECT 1 AS one");
    await first.kill9();
    expect(alive(first.pid)).toBe(false);
    const second = await startPostgres(installation, { directory: first.directory, fsync: true });
    expect(await second.psql("SELECT one FROM kept")).toBe("1");
    expect(await readFile(second.logFile, "utf8")).toContain("redo starts at");
    await second.stop();
    await rm(second.directory, { recursive: true });
  });

  test("stops at once and leaves no folder when the process that started it is killed", async () => {
    const starter = spawn(
      process.execPath,
      [fileURLToPath(new URL("../support/start-server-and-wait.ts", import.meta.url))],
      {
        env: { ...process.env, MAJOR: String((await oneInstallation()).major) },
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const [line] = (await once(createInterface(starter.stdout), "line")) as [string];
    const { pid, directory } = JSON.parse(line) as { pid: number; directory: string };
    expect(alive(pid)).toBe(true);
    starter.kill("SIGKILL");
    await until("the server is gone", () => !alive(pid));
    await until("its folder is gone", async () => !(await exists(directory)));
  });

  test("says what is wrong when it cannot start", async () => {
    const settings = { shared_buffers: "a few" };
    await expect(startPostgres(await oneInstallation(), { settings })).rejects.toThrow(
      /did not start[^]*shared_buffers/,
    );
  });
});

async function oneInstallation() {
  const one = (await installations()).find((installation) => installation.hasClientTools);
  if (one === undefined) throw new Error("no installation has client tools");
  return one;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
