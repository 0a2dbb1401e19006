import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  createMemoryService,
  createMemoryWorld,
  type MemoryWorld,
} from "../../test/support/memory-service.ts";
import { until } from "../../test/support/until.ts";
import { exampleBackup } from "../../test/support/service-examples.ts";
import { createHttpService } from "../client/http-service.ts";
import type { Lc2Service, ServiceEvent } from "../contract/service.ts";
import { Failure } from "../core/failure.ts";
import { openHttpServer, type HttpServer } from "./open-http-server.ts";
import type { LogEntry } from "./parts.ts";

let world: MemoryWorld;
let server: HttpServer;
let url: string;
let client: Lc2Service;
let log: LogEntry[];
let stopping: AbortController;

beforeEach(async () => {
  world = createMemoryWorld();
  log = [];
  stopping = new AbortController();
  server = await openHttpServer({
    service: createMemoryService(world),
    gatekeeper: {
      authenticate: async (secret) =>
        await Promise.resolve(
          secret === "right" ? { keyId: "key-1", name: "test", role: "admin" as const } : undefined,
        ),
      claimRequest: async () => await Promise.resolve("backup-20261124-150000-aaaaaa"),
    },
    version: "0.1.0",
    nowMs: () => Date.parse("2026-11-24T15:00:00.000Z"),
    newId: () => "0123456789ab",
    log: (entry) => log.push(entry),
    checkDependencies: async () =>
      await Promise.resolve([
        { name: "catalog", status: "ok" },
        { name: "repository", status: "degraded" },
      ]),
    trustsOperators: false,
    countStalled: () => 0,
    countSlots: async () =>
      await Promise.resolve([
        { projectId: "retail", name: "nightly", outcome: "missed" as const, count: 2, newestMs: 0 },
        { projectId: "retail", name: "nightly", outcome: "ran" as const, count: 5, newestMs: 1_000 },
      ]),
    countOperations: async () =>
      await Promise.resolve([
        { kind: "backup", projectId: "retail", outcome: "Completed", count: 3, durationMs: 6_000 },
        { kind: "backup", projectId: "retail", count: 1, durationMs: 0 },
      ]),
    stopping: stopping.signal,
  });
  url = await server.listen({ host: "127.0.0.1", port: 0 });
  client = createHttpService({ url, apiKey: "right" });
});
afterEach(async () => {
  await server.close();
});

const get = async (path: string, headers: Record<string, string> = {}) =>
  await fetch(new URL(path, url), { headers: { authorization: "Bearer right", ...headers } });
const { backupId } = exampleBackup();
const never = { signal: new AbortController().signal, onEvent: () => undefined };

describe("a zero character", () => {
  test.each([
    ["/api/v1/projects/default/backups/a%00b", 404, "route-not-found"],
    ["/api/v1/projects/default/schedules/a%00b", 404, "route-not-found"],
    ["/api/v1/projects/default/backups?application=%00", 400, "request-invalid"],
  ])("is refused in %s", async (path, status, code) => {
    const answer = await get(path);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ code });
  });
});

describe("the client of a server", () => {
  test("gets what the service gives", async () => {
    const service = createMemoryService(world);
    expect(await client.getBackup({ backupId, projectId: "retail" })).toEqual(
      await service.getBackup({ backupId }),
    );
    expect(await client.getBackup({ backupId })).toEqual(await service.getBackup({ backupId }));
    expect(await client.listBackups({ limit: 10 })).toEqual(await service.listBackups({ limit: 10 }));
    expect(await client.listRestores({ limit: 10 })).toEqual(await service.listRestores({ limit: 10 }));
    expect(await client.backupLogs({ backupId })).toEqual(world.logs);
    expect(await client.verifyBackup({ backupId }, {}, never)).toEqual(world.verification);
    expect(await client.cancelBackup({ backupId })).toMatchObject({ status: "Cancelled" });
    expect(await client.deleteBackup({ backupId }, { dryRun: true }, never)).toEqual(world.deletion);
  });

  test("pages through a list until it has what was asked for", async () => {
    for (let index = 0; index < 2_500; index += 1) {
      const id = `backup-20261124-140000-${index.toString(16).padStart(6, "0")}`;
      world.backups.set(id, { ...exampleBackup(), backupId: id });
    }
    const { backups, total } = await client.listBackups({ limit: 1_500, offset: 900 });
    expect(backups).toHaveLength(1_500);
    expect(total).toBe(2_501);
    expect(backups[0]).toEqual([...world.backups.values()][900]);
  });

  test("makes, shows and runs schedules", async () => {
    const key = { projectId: "default", name: "nightly" };
    const shown = world.schedules.get("default/nightly");
    expect(await client.getSchedule(key)).toEqual(shown);
    expect(await client.listSchedules({ limit: 10 })).toEqual({ schedules: [shown], total: 1 });
    const { database } = { database: { url: "postgres://db/shop", excludeTables: [] } };
    const backup = { provider: "local", database } as const;
    const wish = { projectId: "default", name: "often", rpoSeconds: 3600, backup };
    const { outcome, view } = await client.putSchedule(wish, { condition: "absent" });
    expect([outcome, view.backup, view.rpoSeconds]).toEqual(["created", backup, 3600]);
    expect(world.calls.at(-1)?.arguments).toEqual([wish, { condition: "absent", dryRun: false }]);
    expect(await client.suspendSchedule(key, true)).toMatchObject({ suspended: true });
    expect(await client.suspendSchedule(key, false)).toMatchObject({ suspended: false });
    expect(await client.runSchedule(key, {})).toMatchObject({ backupId });
    expect(await client.previewSchedule(key, 2)).toHaveLength(2);
    const query = { projectId: "default", schedule: "nightly", limit: 5 };
    expect(await client.listSlots(query)).toMatchObject({ slots: [{ outcome: "missed" }], total: 1 });
    expect(await client.deleteSchedule(key, {})).toMatchObject({ name: "nightly" });
    await expect(client.getSchedule(key)).rejects.toMatchObject({ code: "schedule-not-found" });
    const made = await fetch(new URL("/api/v1/projects/default/schedules", url), {
      method: "POST",
      headers: { authorization: "Bearer right", "content-type": "application/json" },
      body: JSON.stringify({ name: "third", cron: "@daily", backup: { environment: "prod" } }),
    });
    expect([made.status, made.headers.get("location")]).toEqual([
      201,
      "/api/v1/projects/default/schedules/third",
    ]);
  });

  test("plans, asks, restores and undoes", async () => {
    const spec = {
      projectId: "",
      backupId,
      restoreType: "full" as const,
      storage: { url: "file:///x", mode: "merge" as const },
      include: [],
      tables: [],
    };
    expect(await client.planRestore(spec, {}, never)).toEqual(world.plan);
    const begun = await client.submitRestore({ ...spec, projectId: "retail" }, { approve: world.plan.hash });
    expect(begun.status).toBe("Pending");
    const [restoreId = ""] = world.restores.keys();
    expect(await client.getRestore(restoreId)).toEqual(world.restores.get(restoreId));
    expect(await client.restoreLogs(restoreId)).toEqual(world.logs);
    expect(await client.undoRestore(restoreId, never)).toMatchObject({ undone: { files: { restored: 40 } } });
    expect(await client.cancelRestore(restoreId)).toMatchObject({ status: "Cancelled" });
  });

  test("copies a backup, and shows, tells of and cancels copies", async () => {
    const made = await client.copyBackup({ backupId }, { to: "s3://elsewhere/lc2" }, never);
    expect(made).toMatchObject({ status: "Completed", to: "s3://elsewhere/lc2", wasThere: false });
    const failed = {
      copyId: "copy-20261124-150000-c1c1c1",
      backupId,
      projectId: "retail",
      from: made.from,
      to: made.to,
      status: "Failed" as const,
      createdAt: made.createdAt,
      error: { code: "disk-full" as const, message: "The disk is full.", retry: "never" as const },
    };
    world.copies.set(failed.copyId, failed);
    expect(await client.listCopies({ limit: 10 })).toEqual({ copies: [made, failed], total: 2 });
    expect(await client.listCopies({ limit: 1, offset: 1 })).toEqual({ copies: [failed], total: 2 });
    expect(await client.getCopy(failed.copyId)).toEqual(failed);
    expect(await client.copyLogs(failed.copyId)).toEqual(world.logs);
    expect(await client.cancelCopy(failed.copyId)).toMatchObject({ status: "Cancelled" });
    await expect(client.getCopy("copy-x")).rejects.toMatchObject({ code: "copy-not-found" });
    const others = await fetch(new URL(`/api/v1/projects/other/copies/${failed.copyId}/logs`, url), {
      headers: { authorization: "Bearer right" },
    });
    expect(others.status).toBe(404);
    const told = await fetch(new URL(`/api/v1/projects/retail/copies/${failed.copyId}/events`, url), {
      headers: { authorization: "Bearer right" },
    });
    expect(told.headers.get("content-type")).toContain("text/event-stream");
    const text = await told.text();
    expect(text).toContain("event: log");
    expect(text).toMatch(/event: end\ndata: .*"status":"Failed"/);
  });

  test("hears what happens meanwhile, and the failure that the server had", async () => {
    world.events = [{ type: "progress", progress: { component: "verify", phase: "reading", bytes: 5 } }];
    const events: ServiceEvent[] = [];
    const waiting = { ...never, onEvent: (event: ServiceEvent) => events.push(event) };
    await client.verifyBackup({ backupId }, {}, waiting);
    expect(events).toEqual(world.events);
    world.failNext = new Failure("data-damaged", "It is damaged.");
    await expect(client.verifyBackup({ backupId }, {}, waiting)).rejects.toMatchObject({
      code: "data-damaged",
      message: "It is damaged.",
    });
    await expect(client.getBackup({ backupId: "no such" })).rejects.toMatchObject({
      code: "backup-not-found",
    });
  });

  test("that waits no more ends the work", async () => {
    world.hang = true;
    const gone = new AbortController();
    const verifying = client.verifyBackup({ backupId }, {}, { ...never, signal: gone.signal });
    setImmediate(() => gone.abort());
    await expect(verifying).rejects.toMatchObject({ code: "cancelled" });
  });

  test("says which server it is that does not answer, or has no such key, or not this offer", async () => {
    await expect(client.exportKey("retail")).rejects.toMatchObject({ code: "not-available" });
    const stranger = createHttpService({ url, apiKey: "wrong" });
    await expect(stranger.listRestores({ limit: 1 })).rejects.toMatchObject({ code: "unauthenticated" });
    await server.close();
    await expect(client.cancelBackup({ backupId })).rejects.toMatchObject({
      code: "server-unreachable",
      message: expect.stringContaining(url) as string,
    });
  });
});

describe("the server", () => {
  test("is ready while some of what it needs is degraded, and names it", async () => {
    const answer = await fetch(new URL("/health/ready", url));
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ status: "degraded" });
  });

  test("that stops is not ready, takes nothing new and still answers what is asked", async () => {
    stopping.abort();
    expect((await fetch(new URL("/health/ready", url))).status).toBe(503);
    const refused = await fetch(new URL(`/api/v1/projects/retail/backups/${backupId}/cancel`, url), {
      method: "POST",
      headers: { authorization: "Bearer right" },
    });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"]);
    expect((await get("/api/v1/projects/retail/backups")).status).toBe(200);
  });

  test("that stops ends what only looks, and lets what changes something end by itself", async () => {
    const [restoreId = ""] = world.restores.keys();
    const [following = ""] = world.backups.keys();
    const view = world.backups.get(following);
    if (view === undefined) throw new Error("no backup");
    world.backups.set(following, { ...view, status: "TransferInProgress" });
    const events = await get(`/api/v1/projects/retail/backups/${following}/events`);
    world.hang = true;
    const verifying = client.verifyBackup({ backupId }, {}, never);
    const isAsked = (method: string) => world.calls.some((call) => call.method === method);
    await until("it is verifying", () => isAsked("verifyBackup"));
    const undoing = client.undoRestore(restoreId, never);
    await until("it is undoing", () => isAsked("undoRestore"));
    stopping.abort();
    await expect(verifying).rejects.toMatchObject({ code: "cancelled" });
    expect(await events.text()).toContain("event: state");
    const closed = server.close();
    await expect(Promise.race([undoing, Promise.resolve("still undoing")])).resolves.toBe("still undoing");
    world.release?.();
    await expect(undoing).resolves.toMatchObject({ restoreId });
    await closed;
  });

  test("answers a defect with its correlation id alone, and logs the rest without the key", async () => {
    world.backups.get = () => {
      throw new TypeError("secret place");
    };
    const answer = await get(`/api/v1/projects/retail/backups/${backupId}`, { "x-correlation-id": "abc" });
    const text = await answer.text();
    expect(answer.status).toBe(500);
    expect(text).not.toContain("secret place");
    expect(JSON.parse(text)).toMatchObject({ code: "internal", correlationId: "abc" });
    expect(log.find(({ level }) => level === "ERROR")?.message).toContain("secret place");
    expect(JSON.stringify(log)).not.toContain("right");
  });

  test("makes a correlation id where the caller's could not be written", async () => {
    const answer = await get("/health/live", { "x-correlation-id": "a b" });
    expect(answer.headers.get("x-correlation-id")).toBe("req-0123456789ab");
  });

  test("shows its interface as a page that needs nothing else, and its numbers", async () => {
    const page = await get("/docs");
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    const text = await page.text();
    expect(text).toContain("POST /api/v1/projects/{projectId}/backups");
    expect(text).not.toMatch(/(?:src|href)="?https?:/);
    const metrics = await (await get("/metrics")).text();
    expect(metrics).toContain(
      'lc2_backup_requests_total{project="retail",application="",status="success"} 3',
    );
    expect(metrics).toContain(
      'lc2_schedule_slots_total{project="retail",schedule="nightly",outcome="missed"} 2',
    );
    expect(metrics).toMatch(
      /lc2_schedule_last_run_age_seconds\{project="retail",schedule="nightly"\} 1\d{9}/,
    );
    expect(metrics).toContain('lc2_backup_active_operations{project="retail",application=""} 1');
    expect(metrics).toContain('lc2_backup_seconds_total{project="retail",application="",status="success"} 6');
  });
});
