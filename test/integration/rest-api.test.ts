/** The REST interface of a real server process, on a real PostgreSQL and real folders. */
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPostgres } from "../../demo/postgres-servers.ts";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { startLc2Server, type Lc2Server } from "../support/lc2-server.ts";
import {
  freshDatabase,
  installations,
  majorsAvailable,
  useServer,
  type TestDatabase,
} from "../support/servers.ts";
import { until } from "../support/until.ts";

let database: TestDatabase;
let machine: CommandLine;
let server: Lc2Server;
let source: string;

const base = "/api/v1/projects/retail";

beforeAll(async () => {
  const newest = (await majorsAvailable()).at(-1) ?? 0;
  database = await freshDatabase(await useServer(newest));
  machine = await openCommandLine();
  source = join(machine.folder, "source");
  await mkdir(source);
  await writeFile(join(source, "page.html"), "first");
  await query(`
    set role ${database.owner.name};
    create table page (id integer primary key, title text);
    insert into page values (1, 'first');
  `);
  server = await startLc2Server(machine, { env: { ...database.owner.environment } });
});
afterAll(async () => {
  await server.stop();
  await machine[Symbol.asyncDispose]();
  await database.drop();
});

const query = async (sql: string): Promise<string> => await database.server.psql(sql, database.name);

interface View {
  readonly status: string;
  readonly backupId: string;
  readonly restoreId: string;
  readonly error?: { readonly message: string };
}

/** Polls until it has ended. */
async function ended(path: string): Promise<View> {
  let view: View | undefined;
  await until(
    `${path} ends`,
    async () => {
      view = JSON.parse((await server.call("GET", path)).text) as View;
      return ["Completed", "Failed", "Cancelled"].includes(view.status);
    },
    60_000,
  );
  if (view === undefined) throw new Error("nothing was read");
  return view;
}

async function makeBackup(): Promise<string> {
  const body = { database: { url: database.owner.url }, storage: { url: `file://${source}` } };
  const made = await server.call("POST", `${base}/backups`, { body });
  expect(made.status).toBe(201);
  const view = await ended(made.headers.get("location") ?? "");
  expect(view.error?.message).toBeUndefined();
  return view.backupId;
}

describe("a backup over HTTP", () => {
  test("is asked for, followed, listed, verified, restored and put back", async () => {
    const backupId = await makeBackup();
    const one = `${base}/backups/${backupId}`;
    const list = await server.call("GET", `${base}/backups?status=Completed&startDate=2020-01-01`);
    expect(list.json).toMatchObject({ total: 1, backups: [{ backupId, projectId: "retail" }] });
    const verified = await server.call("POST", `${one}/verify`, { body: {} });
    expect(verified.json).toMatchObject({ damages: [], objects: 1 });
    expect((await server.call("GET", `${one}/logs`)).json["lines"]).not.toEqual([]);

    await query("update page set title = 'second'");
    await writeFile(join(source, "page.html"), "second");
    const wish = {
      backupId,
      database: { url: database.owner.url },
      storage: { url: `file://${source}`, mode: "mirror" },
    };
    const plan = await server.call("POST", `${base}/restores/plan`, { body: wish });
    expect(plan.json).toMatchObject({ blockers: [], backupId });
    const begun = await server.call("POST", `${base}/restores`, {
      body: { ...wish, approvedPlan: plan.json["hash"] },
    });
    expect(begun.status).toBe(201);
    const restored = await ended(begun.headers.get("location") ?? "");
    expect(restored.error?.message).toBeUndefined();
    expect(await query("select title from page")).toContain("first");
    expect(await readFile(join(source, "page.html"), "utf8")).toBe("first");

    const undone = await server.call("POST", `${begun.headers.get("location")}/undo`);
    expect(undone.status).toBe(200);
    expect(await query("select title from page")).toContain("second");
    expect(await readFile(join(source, "page.html"), "utf8")).toBe("second");
    const again = await server.call("POST", `${begun.headers.get("location")}/undo`);
    expect(again.json).toMatchObject({ status: 409, code: "nothing-to-undo" });
  });

  test("is what the command line shows, in process and through the server", async () => {
    const backupId = await makeBackup();
    const rest = (await server.call("GET", `${base}/backups/${backupId}`)).json;
    const throughServer = { LC2_SERVER: server.url };
    expect(await machine.json(["backup", "describe", backupId])).toEqual(rest);
    expect(await machine.json(["backup", "describe", backupId], throughServer)).toEqual(rest);
    const { nextCursor: _, ...page } = (await server.call("GET", `${base}/backups?limit=1`)).json;
    const list = ["backup", "list", "--project", "retail", "--limit", "1"];
    expect(await machine.json(list)).toEqual(page);
    expect(await machine.json(list, throughServer)).toEqual(page);
  });

  test("is made by the command line through the server, which waits for its end", async () => {
    const words = ["backup", "create", "--project", "shop", "--files", source];
    const made = await machine.json(words, { LC2_SERVER: server.url });
    expect(made).toMatchObject({ status: "Completed", projectId: "shop" });
    const target = join(machine.folder, "through-server");
    const restored = await machine.json(
      ["restore", "create", "--from", String(made["backupId"]), "--files", target],
      { LC2_SERVER: server.url },
    );
    expect(restored).toMatchObject({ status: "Completed" });
    expect(await readFile(join(target, "page.html"), "utf8")).toBe(
      await readFile(join(source, "page.html"), "utf8"),
    );
    const missing = await machine.run(["backup", "create", "--files", "/no/such/folder"], {
      LC2_SERVER: server.url,
    });
    expect(missing.code).toBe(4);
    expect(missing.stderr).toContain("source-not-found");
  });

  test("is begun once, however often the same request is sent", async () => {
    const send = async (body: object) =>
      await server.call("POST", `${base}/backups`, { body, headers: { "idempotency-key": "nightly" } });
    const body = { storage: { url: `file://${source}` } };
    const answers = await Promise.all([send(body), send(body), send(body)]);
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(new Set(answers.map(({ json }) => json["backupId"])).size).toBe(1);
    const other = await send({ storage: { url: `file://${source}/other` } });
    expect(other.json).toMatchObject({ status: 422, code: "idempotency-key-reused" });
    await ended(answers[0]?.headers.get("location") ?? "");
  });

  test("tells how it goes as events, the last one its end", async () => {
    const made = await server.call("POST", `${base}/backups`, {
      body: { storage: { url: `file://${source}` } },
      headers: { "x-correlation-id": "the-nightly-run" },
    });
    expect(made.json["requestId"]).toBe("the-nightly-run");
    const events = await server.call("GET", `${made.headers.get("location")}/events`);
    expect(events.headers.get("content-type")).toContain("text/event-stream");
    const last = events.text.trim().split("\n\n").at(-1) ?? "";
    expect(last).toMatch(/^event: end\ndata: /);
    expect(JSON.parse(last.split("data: ")[1] ?? "")).toMatchObject({ status: "Completed" });
    const said = server.command.text().split("\n");
    const line = said.find((each) => each.includes("ended: Completed") && each.includes("the-nightly-run"));
    expect(JSON.parse(line ?? "{}")).toMatchObject({
      level: "INFO",
      logger: "lc2.backup",
      project_id: "retail",
      backup_id: made.json["backupId"],
      duration_ms: expect.any(Number) as number,
    });
  });

  test("is deleted by an admin, and then is not there", async () => {
    const backupId = await makeBackup();
    const one = `${base}/backups/${backupId}`;
    const wouldBe = await server.call("DELETE", `${one}?dryRun=true`);
    expect(wouldBe.json["deletedFiles"]).toBeGreaterThan(0);
    expect((await server.call("DELETE", one)).status).toBe(204);
    expect((await server.call("GET", one)).json).toMatchObject({ status: 404, code: "backup-not-found" });
    expect((await server.call("DELETE", one)).status).toBe(404);
  });

  test("comes in pages that what is made meanwhile does not move", async () => {
    for (let count = 0; count < 3; count += 1) await makeBackup();
    const ids: unknown[] = [];
    let cursor = "";
    let total = Number.POSITIVE_INFINITY;
    while (ids.length < total) {
      const page = JSON.parse((await server.call("GET", `${base}/backups?limit=2${cursor}`)).text) as {
        backups: View[];
        total: number;
        nextCursor?: string;
      };
      ids.push(...page.backups.map(({ backupId }) => backupId));
      total = page.total;
      if (page.nextCursor === undefined) break;
      cursor = `&cursor=${page.nextCursor}`;
      if (ids.length === 2) await makeBackup();
    }
    expect(ids).toHaveLength(total);
    expect(new Set(ids).size).toBe(total);
  });
});

describe("who calls", () => {
  const makeKey = async (...words: string[]) =>
    await machine.json(["api-key", "create", "--name", "test", ...words]);

  test("is known by a key; the first one stands alone in a file for its owner", async () => {
    expect((await stat(join(machine.folder, "data/admin.key"))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(machine.folder, "data/admin.key"), "utf8")).toMatch(/^lc2_[\w-]{43}\n$/);
    expect((await server.call("GET", "/health/live", { key: null })).status).toBe(200);
    for (const path of ["/metrics", "/docs", "/openapi.json", `${base}/backups`, "/no/such/thing"]) {
      const answer = await server.call("GET", path, { key: null });
      expect([path, answer.status]).toEqual([path, 401]);
      expect(answer.headers.get("content-type")).toContain("application/problem+json");
    }
  });

  test("may do what the key's role and projects say", async () => {
    const backupId = await makeBackup();
    const one = `/backups/${backupId}`;
    const body = {};
    const matrix: [string[], string, string, number][] = [
      [["--role", "viewer"], "GET", `${base}${one}`, 200],
      [["--role", "viewer"], "POST", `${base}${one}/verify`, 403],
      [["--role", "viewer"], "POST", `${base}/backups`, 403],
      [["--role", "operator"], "POST", `${base}${one}/verify`, 200],
      [["--role", "operator"], "DELETE", `${base}${one}`, 403],
      [["--role", "viewer", "--project", "retail"], "GET", `${base}${one}`, 200],
      [["--role", "viewer", "--project", "retail"], "GET", `/api/v1/projects/-${one}`, 200],
      [["--role", "admin", "--project", "other"], "GET", `${base}${one}`, 404],
      [["--role", "admin", "--project", "other"], "GET", `/api/v1/projects/other${one}`, 404],
      [["--role", "admin", "--project", "other"], "GET", `/api/v1/projects/-${one}`, 404],
      [["--role", "admin", "--project", "other"], "DELETE", `${base}${one}`, 404],
      [["--role", "admin", "--project", "other"], "POST", `${base}/restores/plan`, 404],
      [["--role", "admin", "--project", "other"], "GET", "/metrics", 403],
      [["--role", "admin", "--project", "a", "--project", "b"], "GET", `/api/v1/projects/-${one}`, 404],
    ];
    for (const [words, method, path, expected] of matrix) {
      const { secret } = await makeKey(...words);
      const options = { key: String(secret), ...(method === "POST" ? { body } : {}) };
      const { status } = await server.call(method, path, options);
      expect([words, method, path, status]).toEqual([words, method, path, expected]);
    }
    const { secret } = await makeKey("--role", "operator", "--project", "retail");
    const named = await server.call("POST", `${base}/backups`, {
      key: String(secret),
      body: { storage: { url: `file://${source}` } },
    });
    expect(named.json).toMatchObject({ status: 403, code: "forbidden" });
  });

  test("is nobody at once when the key is revoked, and soon when it is rotated or expires", async () => {
    const { keyId, secret } = await makeKey();
    const look = async (key: unknown) =>
      (await server.call("GET", `${base}/backups`, { key: String(key) })).status;
    expect(await look(secret)).toBe(200);
    const rotated = await machine.json(["api-key", "rotate", String(keyId), "--overlap", "1h"]);
    expect([await look(secret), await look(rotated["secret"])]).toEqual([200, 200]);
    await machine.json(["api-key", "rotate", String(rotated["keyId"]), "--overlap", "0s"]);
    expect(await look(rotated["secret"])).toBe(401);
    await machine.json(["api-key", "revoke", String(keyId)]);
    expect(await look(secret)).toBe(401);
    expect(JSON.stringify(await machine.json(["api-key", "list"]))).not.toContain("lc2_");
    expect(server.command.text()).not.toContain(String(secret));
  });

  test("who tries too often with a wrong key is told to wait, and a right one still passes", async () => {
    let limited;
    await until("the limit is reached", async () => {
      limited = await server.call("GET", `${base}/backups`, { key: `lc2_${"x".repeat(43)}` });
      return limited.status === 429;
    });
    expect(limited).toMatchObject({ json: { code: "too-many-attempts" } });
    expect((await server.call("GET", `${base}/backups`)).status).toBe(200);
    expect(server.command.text()).toContain("Refused a call with an invalid API key");
  });
});

describe("a request that is wrong", () => {
  test("is told everything that is wrong with it at once, and nothing is begun", async () => {
    const before = (await server.call("GET", `${base}/backups`)).json["total"];
    const shape = await server.call("POST", `${base}/backups`, {
      body: { provider: "moon", databse: {}, storage: { url: 7, maxShrink: "all" } },
      headers: { "x-correlation-id": "abc-1" },
    });
    expect(shape.status).toBe(400);
    expect(shape.json).toMatchObject({
      code: "request-invalid",
      correlationId: "abc-1",
      instance: `${base}/backups`,
    });
    const fieldsOf = ({ json }: { json: Readonly<Record<string, unknown>> }) =>
      (json["problems"] as { field: string }[]).map(({ field }) => field).sort();
    expect(fieldsOf(shape)).toEqual(["databse", "provider", "storage.maxShrink", "storage.url"]);
    const meaning = await server.call("POST", `${base}/backups`, {
      body: { database: { url: "postgres://a:secret@b/c", streams: 99 }, storage: { url: "x" } },
    });
    expect(fieldsOf(meaning)).toEqual(["database.streams", "database.url", "storage.url"]);
    expect(meaning.text).not.toContain("secret");
    expect((await server.call("GET", `${base}/backups`)).json["total"]).toBe(before);
  });

  test.each([
    ["GET", "/api/v1/projects/retail/backups/%2e%2e%2f", 404, "backup-not-found"],
    ["GET", "/api/v1/projects/NO/backups", 404, "project-not-found"],
    ["GET", "/api/v1/projects/retail/restores/x", 404, "restore-not-found"],
    ["GET", "/api/v1/projects/retail/backups?limit=0", 400, "request-invalid"],
    ["GET", "/api/v1/projects/retail/backups?limit=true", 400, "request-invalid"],
    ["DELETE", "/api/v1/projects/retail/backups/x?dryRun=yes", 400, "request-invalid"],
    ["GET", "/api/v1/projects/retail/backups?limit=0&colour=red&cursor=!!", 400, "request-invalid"],
    ["GET", "/api/v1/projects/retail/backups?startDate=2026-02-30", 400, "request-invalid"],
    ["GET", "/api/v1/elsewhere", 404, "route-not-found"],
    ["PUT", "/api/v1/projects/retail/backups", 405, "route-not-found"],
    ["POST", "/api/v1/projects/-/backups", 404, "project-not-found"],
    ["POST", "/api/v1/projects/retail/backups", 422, "not-available"],
  ])("%s %s is answered with %i", async (method, path, status, code) => {
    const answer = await server.call(method, path, method === "POST" ? { body: { provider: "aws" } } : {});
    expect(answer.json).toMatchObject({ status, code });
    expect(answer.status).toBe(status);
  });

  test("that is no JSON, or too much of it, is refused", async () => {
    expect((await server.call("POST", `${base}/backups`, { body: "{" })).status).toBe(400);
    const large = JSON.stringify({ application: "x".repeat(2_000_000) });
    expect((await server.call("POST", `${base}/backups`, { body: large })).status).toBe(413);
  });
});

test("an answer that the caller has already is not sent again", async () => {
  const first = await server.call("GET", "/openapi.json");
  expect(first.json).toMatchObject({ openapi: "3.1.0" });
  const etag = first.headers.get("etag") ?? "";
  const second = await server.call("GET", "/openapi.json", { headers: { "if-none-match": etag } });
  expect([second.status, second.text]).toEqual([304, ""]);
});

test("metrics count what the catalog knows", async () => {
  const { text } = await server.call("GET", "/metrics");
  expect(text).toMatch(/lc2_backup_requests_total\{project="retail",application="",status="success"\} \d+/);
  expect(text).toContain("lc2_operator_memory_usage_bytes");
});

test("while the catalog is away nothing is taken, and the server says so", async () => {
  const [installation] = await installations();
  if (installation === undefined) throw new Error("No PostgreSQL can be had here.");
  const first = await startPostgres(installation);
  const own = await openCommandLine();
  try {
    const url = new URL(first.url);
    url.password = first.password;
    const away = await startLc2Server(own, { env: { DATABASE_URL: url.href } });
    expect((await away.call("GET", "/health/ready", { key: null })).status).toBe(200);
    await first.stop("immediate");
    const ready = await away.call("GET", "/health/ready", { key: null });
    expect([ready.status, ready.json["status"]]).toEqual([503, "unready"]);
    expect(ready.json["dependencies"]).toContainEqual({ name: "catalog", status: "down" });
    expect((await away.call("GET", "/health/live", { key: null })).status).toBe(200);
    const refused = await away.call("POST", `${base}/backups`, {
      body: { storage: { url: `file://${source}` } },
    });
    expect(refused.json).toMatchObject({ status: 503, code: "catalog-unreachable" });
    expect(refused.headers.get("retry-after")).toBe("5");
    expect(refused.text).not.toContain(first.password);
    await away.stop();
  } finally {
    await own[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
  }
});

describe("a server that is killed", () => {
  test("in the middle of a backup leaves nothing half done: the next one makes it anew", async () => {
    const own = await openCommandLine();
    try {
      const folder = join(own.folder, "large");
      await mkdir(folder);
      await writeFile(join(folder, "file"), Buffer.alloc(2_000_000, "x"));
      const first = await startLc2Server(own);
      const body = { storage: { url: `file://${folder}` }, maxRateBytesPerSecond: 500_000 };
      const made = await first.call("POST", `${base}/backups`, { body, headers: { "idempotency-key": "k" } });
      const path = made.headers.get("location") ?? "";
      await until("it is under way", async () => {
        return (await first.call("GET", path)).json["status"] === "TransferInProgress";
      });
      first.command.child.kill("SIGKILL");
      await first.command.ended();
      const second = await startLc2Server(own);
      await until("it is made", async () => (await second.call("GET", path)).json["status"] === "Completed");
      expect((await second.call("GET", path)).json["metadata"]).toMatchObject({ attempt: 2 });
      const said = (await second.call("GET", `${path}/logs`)).text;
      expect(said).toContain("was left by a process that died");
      expect(said).toContain("waits for its turn again");
      // The request that was sent then is not begun anew.
      const same = await second.call("POST", `${base}/backups`, {
        body,
        headers: { "idempotency-key": "k" },
      });
      expect(same.json).toMatchObject({ backupId: made.json["backupId"], status: "Completed" });
      await second.stop();
    } finally {
      await own[Symbol.asyncDispose]();
    }
  });
});
