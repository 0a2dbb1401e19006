/** Everything the command line does in process, through a server: the same words have the same answers. */
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { startLc2Server, type Lc2Server } from "../support/lc2-server.ts";
import { until } from "../support/until.ts";

let machine: CommandLine;
let server: Lc2Server;
let backupId: string;
let there: { readonly LC2_SERVER: string };
/** More than every buffer on the way. */
const large = Buffer.alloc(24_000_000, "The quick brown fox jumps over the lazy dog. ");

beforeAll(async () => {
  machine = await openCommandLine();
  const source = join(machine.folder, "source");
  await mkdir(join(source, "reports"), { recursive: true });
  await writeFile(join(source, "reports/jahresübersicht.txt"), "whole");
  await writeFile(join(source, "empty"), "");
  await writeFile(join(source, "large"), large);
  const made = await machine.json(["backup", "create", "--project", "retail", "--files", source]);
  backupId = String(made["backupId"]);
  server = await startLc2Server(machine, { env: { LC2_MAX_CALLS: "1", LC2_CALL_WAIT_SECONDS: "5" } });
  there = { LC2_SERVER: server.url };
});
afterAll(async () => {
  await server.stop();
  await machine[Symbol.asyncDispose]();
});

const own = (): string => `file://${join(machine.folder, "data/repository")}`;

describe("the command line through a server", () => {
  test.each([
    ["backup browse", (id: string) => ["backup", "browse", id]],
    ["backup browse with a pattern", (id: string) => ["backup", "browse", id, "reports/*"]],
    ["backup logs", (id: string) => ["backup", "logs", id]],
    ["backup verify", (id: string) => ["backup", "verify", id]],
    ["backup delete --dry-run", (id: string) => ["backup", "delete", id, "--dry-run"]],
    ["backup create --dry-run", () => ["backup", "create", "--dry-run", "--files", machine.folder]],
    ["repository check", () => ["repository", "check", "--read-data"]],
    ["repository scan", () => ["repository", "scan"]],
    ["repository scan --dry-run", () => ["repository", "scan", "--dry-run"]],
    ["repository sweep --dry-run", () => ["repository", "sweep", "--dry-run"]],
    ["repository probe", () => ["repository", "probe"]],
    ["key rotate --dry-run", () => ["key", "rotate", "--project", "retail", "--dry-run"]],
    ["api-key list", () => ["api-key", "list"]],
  ])("%s says what it says in process", async (_name, words) => {
    expect(await machine.json(words(backupId), there)).toEqual(await machine.json(words(backupId)));
  });

  test("looks for a backup in a repository that is named", async () => {
    const words = ["backup", "get", backupId, "--repository", join(machine.folder, "data/repository")];
    expect(await machine.json(words, there)).toEqual(await machine.json(words));
  });

  test("downloads a file whole, an empty one too, and into a pipe", async () => {
    for (const [path, content] of [
      ["large", large],
      ["reports/jahresübersicht.txt", Buffer.from("whole")],
      ["empty", Buffer.alloc(0)],
    ] as const) {
      const target = join(machine.folder, "downloaded");
      const done = await machine.run(["backup", "download", backupId, path, "-o", target, "--force"], there);
      expect(done.stderr).toContain("SHA-256");
      expect((await readFile(target)).equals(content)).toBe(true);
    }
    const piped = await machine.run(
      ["backup", "download", backupId, "reports/jahresübersicht.txt", "-o", "-"],
      there,
    );
    expect(piped).toMatchObject({ code: 0, stdout: "whole" });
  });

  test("says what the server says about what is not there, and writes no file", async () => {
    const target = join(machine.folder, "not-there");
    const missing = await machine.run(["backup", "download", backupId, "no/such", "-o", target], there);
    expect(missing.code).toBe(4);
    expect(missing.stderr).toContain("path-not-found");
    await expect(stat(target)).rejects.toThrow("ENOENT");
  });

  test("copies a backup, and sets where to", async () => {
    const to = join(machine.folder, "copies");
    const set = await machine.json(["repository", "set-copy", "--to", to], there);
    expect(set).toEqual({ repository: own(), copyTo: `file://${to}` });
    const copied = await machine.json(["backup", "copy", backupId], there);
    expect(copied).toMatchObject({ status: "Completed", wasThere: false, to: `file://${to}` });
    expect(await machine.json(["backup", "copy", backupId])).toMatchObject({ wasThere: true });
    await machine.json(["repository", "set-copy", "--none"], there);
  });

  test("makes, rotates and ends API keys", async () => {
    const made = await machine.json(["api-key", "create", "--name", "look"], there);
    const keyId = String(made["keyId"]);
    const status = async (): Promise<number> =>
      (await server.call("GET", "/api/v1/projects/retail/backups", { key: String(made["secret"]) })).status;
    expect(await status()).toBe(200);
    const next = await machine.json(["api-key", "rotate", keyId, "--overlap", "1h"], there);
    expect(next).toMatchObject({ name: "look", role: "viewer" });
    const refused = await server.call("POST", `/api/v1/api-keys/${keyId}/rotate`, {
      body: { overlapSeconds: 0.5 },
    });
    expect(refused).toMatchObject({ status: 400, json: { problems: [{ field: "overlapSeconds" }] } });
    expect(await machine.json(["api-key", "revoke", keyId], there)).toMatchObject({ status: "revoked" });
    expect(await status()).toBe(401);
  });

  test("changes a project's key, and leaves key material where it is", async () => {
    const rotated = await machine.json(["key", "rotate", "--project", "retail"], there);
    expect(rotated).toMatchObject({ rewrapped: 1 });
    expect(await machine.json(["backup", "verify", backupId], there)).toMatchObject({ damages: [] });
    for (const words of [["export"], ["import", "/dev/null"], ["recovery", "create"]]) {
      const refused = await machine.run(["key", ...words], there);
      expect(refused.stderr).toContain("not-available");
      expect(refused.stderr).toContain("on the server's machine");
    }
  });
});

describe("a key that may not", () => {
  let viewer: string;
  let operator: string;
  let ofProject: string;
  const make = async (words: readonly string[]): Promise<string> =>
    String((await machine.json(["api-key", "create", "--name", "test", ...words]))["secret"]);
  beforeAll(async () => {
    viewer = await make(["--role", "viewer"]);
    operator = await make(["--role", "operator"]);
    ofProject = await make(["--role", "admin", "--project", "retail"]);
  });
  const backup = (): string => `/api/v1/projects/retail/backups/${backupId}`;

  test("hears 403 where its role is too small, and a project's admin where many projects are meant", async () => {
    const calls = [
      [viewer, "GET", `${backup()}/contents`],
      [viewer, "GET", `${backup()}/download?path=large`],
      [viewer, "POST", `${backup()}/copy`],
      [viewer, "GET", `${backup()}?repository=${encodeURIComponent(own())}`],
      [viewer, "GET", `${backup()}/logs?repository=${encodeURIComponent(own())}`],
      [operator, "POST", "/api/v1/repository/check"],
      [operator, "POST", "/api/v1/repository/sweep"],
      [operator, "GET", "/api/v1/api-keys"],
      [operator, "POST", "/api/v1/projects/retail/keys/rotate"],
      [ofProject, "POST", `${backup()}/copy`],
      [ofProject, "POST", "/api/v1/repository/scan"],
      [ofProject, "GET", "/api/v1/api-keys"],
      [ofProject, "POST", "/api/v1/api-keys"],
      [ofProject, "GET", `${backup()}?repository=${encodeURIComponent(own())}`],
    ] as const;
    for (const [key, method, path] of calls) {
      const bodies = { "api-keys": { body: { name: "more" } }, copy: { body: {} } };
      const body = method === "POST" ? bodies[path.split("/").at(-1) as keyof typeof bodies] : {};
      expect([path, (await server.call(method, path, { key, ...body })).status]).toEqual([path, 403]);
    }
  });
});

describe("a slow reader", () => {
  test("holds a download up in constant memory, and ends it by going away", async () => {
    const memoryKib = async (): Promise<number> => {
      const status = await readFile(`/proc/${server.command.child.pid}/status`, "utf8");
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
    };
    const before = await memoryKib();
    const path = `/api/v1/projects/retail/backups/${backupId}/download?path=large`;
    const call = request(new URL(path, server.url), {
      headers: { authorization: `Bearer ${server.adminKey}` },
    }).end();
    const status = await new Promise<number | undefined>((resolve) =>
      call.once("response", (response) => {
        response.pause();
        resolve(response.statusCode);
      }),
    );
    expect(status).toBe(200);
    // What the sockets' buffers do not take stays where it is, in the worker's pipe.
    await until("the server does other things meanwhile", async () => {
      const { status: ready } = await server.call("GET", "/health/ready");
      return ready === 200;
    });
    expect((await memoryKib()) - before).toBeLessThan(large.length / 1024);
    // It has a worker all the time, and there are no more.
    const refused = await server.call("GET", `/api/v1/projects/retail/backups/${backupId}/contents`);
    expect([refused.status, refused.json["code"], refused.headers.get("retry-after")]).toEqual([
      503,
      "server-busy",
      "5",
    ]);
    call.destroy();
    await until("its worker is gone", async () => {
      const children = await readFile(
        `/proc/${server.command.child.pid}/task/${server.command.child.pid}/children`,
        "utf8",
      );
      return children.trim() === "";
    });
  });
});
