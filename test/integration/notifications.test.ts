/** What a real server tells real receivers: HTTP and SMTP servers that are down, up, slow, and asked once. */
import { createHmac } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { join } from "node:path";
import { SMTPServer } from "smtp-server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openSqliteCatalog } from "../../src/catalog/open-sqlite-catalog.ts";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { startLc2Server, type Lc2Server } from "../support/lc2-server.ts";
import { until } from "../support/until.ts";

const secret = "whsec_c2VjcmV0LW9mLXRoZS13ZWJob29r";
const mailPassword = "secret-of-the-mail";

interface Call {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
interface Receiver {
  readonly port: number;
  readonly calls: Call[];
  /** Of the answers from now on. */
  status: number;
  close(): Promise<void>;
}

let machine: CommandLine;
let servers: Lc2Server[] = [];
let receivers: Receiver[] = [];
let source: string;

beforeEach(async () => {
  machine = await openCommandLine();
  source = join(machine.folder, "source");
  await mkdir(source);
  await writeFile(join(source, "page.html"), "first");
});
afterEach(async () => {
  for (const server of servers) await server.stop();
  for (const receiver of receivers) await receiver.close();
  servers = [];
  receivers = [];
  await machine[Symbol.asyncDispose]();
});

async function startServer(more: Readonly<Record<string, string>> = {}): Promise<Lc2Server> {
  const env = { LC2_WEBHOOK_SECRET: secret, LC2_MAIL: mailPassword, ...more };
  const server = await startLc2Server(machine, { env });
  servers.push(server);
  return server;
}

async function startReceiver(port = 0): Promise<Receiver> {
  const calls: Call[] = [];
  const server: Server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      calls.push({ path: request.url ?? "", headers: request.headers, body });
      response.writeHead(receiver.status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = server.address();
  const receiver: Receiver = {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    calls,
    status: 200,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  receivers.push(receiver);
  return receiver;
}

const put = async (server: Lc2Server, path: string, body: object): Promise<void> => {
  const answer = await server.call("PUT", `/api/v1/${path}`, { body });
  expect(answer.status, answer.text).toBe(201);
};

/** Asks for a backup and waits for its end. */
async function backUp(
  server: Lc2Server,
  from = source,
): Promise<{ readonly id: string; readonly status: string }> {
  const made = await server.call("POST", "/api/v1/projects/retail/backups", {
    body: { storage: { url: `file://${from}` } },
  });
  const location = made.headers.get("location") ?? "";
  let status = "";
  await until(
    "the backup ends",
    async () => {
      status = String((await server.call("GET", location)).json["status"]);
      return ["Completed", "Failed"].includes(status);
    },
    60_000,
  );
  return { id: location.split("/").at(-1) ?? "", status };
}

/** A backup that fails: there is nothing to read. */
async function fail(server: Lc2Server): Promise<string> {
  await rename(source, `${source}-away`);
  const { id, status } = await backUp(server);
  expect(status).toBe("Failed");
  await rename(`${source}-away`, source);
  return id;
}

/** What the receiver does with a call: its signature and what it says. */
function open({ headers, body }: Call): { readonly type: string; readonly data: Record<string, unknown> } {
  const signed = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`;
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const signature = createHmac("sha256", key).update(signed).digest("base64");
  expect(headers["webhook-signature"]).toBe(`v1,${signature}`);
  return JSON.parse(body) as { type: string; data: Record<string, unknown> };
}

const webhook = ({ port }: { readonly port: number }) => ({
  webhook: { url: `http://127.0.0.1:${port}/lc2`, secret: "env:LC2_WEBHOOK_SECRET" },
});

describe("a webhook", () => {
  test("hears, signed and once, of a failure and of the first success after it, and of nothing else", async () => {
    const receiver = await startReceiver();
    const server = await startServer();
    await put(server, "notifications/ops", webhook(receiver));
    await put(server, "projects/retail/notifications/team", { ...webhook(receiver), events: ["recovered"] });
    await put(server, "projects/other/notifications/team", webhook(receiver));
    await backUp(server);
    const failed = await fail(server);
    await until("it hears of the failure", () => receiver.calls.length > 0);
    const recovered = (await backUp(server)).id;
    await until("both hear that it works again", () => receiver.calls.length >= 3);
    await backUp(server);
    // A later failure comes after everything that could have been told of the success before it.
    const last = await fail(server);
    await until("it hears of the last failure", () => receiver.calls.length >= 4);
    const heard = receiver.calls.map(open);
    expect(heard.map(({ type, data }) => `${type} ${String(data["operationId"])}`)).toEqual([
      `lc2.failed ${failed}`,
      `lc2.recovered ${recovered}`,
      `lc2.recovered ${recovered}`,
      `lc2.failed ${last}`,
    ]);
    expect(heard[0]?.data).toMatchObject({ projectId: "retail", kind: "backup", code: "source-not-found" });
    const ids = receiver.calls.map(({ headers }) => headers["webhook-id"]);
    expect(new Set(ids).size).toBe(4);
    const shown = await machine.json(["notification", "get", "ops"]);
    expect(shown["deliveries"]).toMatchObject([
      { state: "delivered" },
      { state: "delivered" },
      { state: "delivered" },
    ]);
    expect(server.command.text()).not.toContain("c2VjcmV0");
  });

  test("that is down is tried again under the same id, by the next server too, and disturbs no backup", async () => {
    const receiver = await startReceiver();
    const { port } = receiver;
    await receiver.close();
    const first = await startServer();
    await put(first, "notifications/ops", { ...webhook({ port }), events: ["failed"] });
    const failed = await fail(first);
    await until("a try has failed", async () => {
      const { deliveries } = await machine.json(["notification", "get", "ops"]);
      return (deliveries as { tries: number; error?: string }[]).some(({ error }) => error !== undefined);
    });
    expect((await backUp(first)).status).toBe("Completed");
    first.command.child.kill("SIGKILL");
    await first.command.ended();
    const again = await startReceiver(port);
    again.status = 500;
    await startServer();
    await until("the next server tries", () => again.calls.length > 0, 60_000);
    again.status = 204;
    const state = async () => {
      const { deliveries } = await machine.json(["notification", "get", "ops"]);
      return (deliveries as { state: string }[]).map((one) => one.state);
    };
    await until("it has arrived", async () => (await state()).join() === "delivered", 90_000);
    expect(again.calls.length).toBeGreaterThan(1);
    expect(again.calls.map((call) => open(call).data["operationId"])).toEqual(again.calls.map(() => failed));
    expect(new Set(again.calls.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
  });

  test("hears once from two servers of one catalog", async () => {
    const receiver = await startReceiver();
    const [one] = [await startServer(), await startServer()];
    await put(one, "notifications/ops", webhook(receiver));
    const failed = [await fail(one), await fail(one)];
    await until("it hears of both", () => receiver.calls.length >= 2);
    const second = await fail(one);
    await until("it hears of the third", () => receiver.calls.length >= 3);
    const heard = receiver.calls.map((call) => String(open(call).data["operationId"]));
    // Either server may be the quicker one to tell of the first two.
    expect(heard.toSorted()).toEqual([...failed, second].toSorted());
    expect(heard.at(-1)).toBe(second);
  });
});

test("a missed time of a schedule is told once, and a day is summed up once, also by two servers", async () => {
  const receiver = await startReceiver();
  const catalog = openSqliteCatalog(join(machine.folder, "data/catalog.db"));
  const dayMs = 24 * 3_600_000;
  const key = { kind: "notification", projectId: "", name: "ops" } as const;
  const spec = { ...webhook(receiver), events: ["missed", "summary"], summaryAt: "00:00" };
  await mkdir(join(machine.folder, "data"), { recursive: true });
  await catalog.putDefinition({ ...key, spec, nowMs: Date.now() - dayMs }, "absent");
  const nowMs = Date.now();
  const slots = (["missed", "overlap"] as const).map((outcome, index) => ({
    slotMs: nowMs - 60_000 + index,
    outcome,
  }));
  await catalog.recordSlots({
    key: { projectId: "retail", name: "nightly" },
    cause: "due",
    accountedUntilMs: undefined,
    nowMs,
    slots,
  });
  await catalog.close();
  const server = await startServer();
  await startServer();
  await until("both are told", () => receiver.calls.length >= 2);
  await put(server, "projects/retail/notifications/later", { ...webhook(receiver), events: ["failed"] });
  await fail(server);
  await until("what came later is told", () =>
    receiver.calls.some((call) => open(call).type === "lc2.failed"),
  );
  const heard = receiver.calls.map((call) => open(call));
  expect(heard.map(({ type }) => type).toSorted()).toEqual(["lc2.failed", "lc2.missed", "lc2.summary"]);
  expect(heard.find(({ type }) => type === "lc2.missed")?.data).toMatchObject({
    schedule: "nightly",
    outcome: "missed",
    slot: new Date(nowMs - 60_000).toISOString(),
  });
});

test("what stands still, and a scheduled backup whose turn did not come in time, are told as that, each once", async () => {
  const receiver = await startReceiver();
  await mkdir(join(machine.folder, "data"), { recursive: true });
  const catalog = openSqliteCatalog(join(machine.folder, "data/catalog.db"));
  const nowMs = Date.now();
  const key = { kind: "notification", projectId: "", name: "ops" } as const;
  await catalog.putDefinition({ ...key, spec: webhook(receiver), nowMs: nowMs - 60_000 }, "absent");
  const nightly = { name: "nightly", slotMs: nowMs - 120_000 };
  await catalog.createOperation(
    {
      id: "backup-20261129-000000-000001",
      kind: "backup",
      projectId: "retail",
      requestId: "req-1",
      spec: {
        spec: { projectId: "retail", provider: "local", storage: { url: `file://${source}` } },
        scheduled: { ...nightly, startBeforeMs: nowMs - 1_000 },
      },
      repository: `file://${machine.folder}/data/repository`,
      createdAtMs: nowMs - 120_000,
      leaseOwner: "",
    },
    { seconds: 30 },
  );
  await catalog.close();
  const server = await startServer({ LC2_STALL_MINUTES: "0.3" });
  await writeFile(join(source, "film"), Buffer.alloc(1_000_000, "x"));
  // At this rate the next byte comes in days.
  const still = await server.call("POST", "/api/v1/projects/retail/backups", {
    body: { storage: { url: `file://${source}` }, maxRateBytesPerSecond: 1 },
  });
  const operationId = (still.headers.get("location") ?? "").split("/").at(-1);
  const of = (type: string) => receiver.calls.map((call) => open(call)).filter((one) => one.type === type);
  await until("both are told", () => of("lc2.stalled").length > 0 && of("lc2.missed").length > 0, 120_000);
  expect(of("lc2.stalled")[0]?.data).toMatchObject({ operationId, task: "files" });
  expect(of("lc2.missed").map(({ data }) => data)).toMatchObject([
    { schedule: "nightly", slot: new Date(nightly.slotMs).toISOString(), outcome: "window" },
  ]);
  expect(of("lc2.failed")).toEqual([]);
  const ids = receiver.calls.map(({ headers }) => headers["webhook-id"]);
  expect(new Set(ids).size).toBe(ids.length);
});

describe("other receivers", () => {
  test("Slack gets a text by a URL that nobody sees, mail goes out with a password and never without TLS unasked, tests arrive or say why", async () => {
    const receiver = await startReceiver();
    const slackFile = join(machine.folder, "slack-url");
    await writeFile(slackFile, `http://127.0.0.1:${receiver.port}/services/very-secret\n`);
    const mails: string[] = [];
    const smtp = new SMTPServer({
      authOptional: true,
      disabledCommands: ["STARTTLS"],
      onAuth: ({ username, password }, _session, done) =>
        username === "lc2" && password === mailPassword
          ? done(null, { user: username })
          : done(new Error("no")),
      onData: (stream, _session, done) => {
        let text = "";
        stream.on("data", (piece: Buffer) => (text += piece.toString("utf8")));
        stream.on("end", () => {
          mails.push(text);
          done();
        });
      },
    });
    await new Promise<void>((resolve) => smtp.listen(0, "127.0.0.1", resolve));
    const address = smtp.server.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const server = await startServer();
    await put(server, "notifications/chat", { slack: { url: `file:${slackFile}` } });
    const mail = {
      host: "127.0.0.1",
      port,
      tls: "none",
      user: "lc2",
      password: "env:LC2_MAIL",
      from: "lc2@shop.example",
      to: ["ops@shop.example"],
    };
    await put(server, "notifications/mail", { smtp: mail });
    await put(server, "notifications/tls", { smtp: { ...mail, tls: "starttls" } });
    try {
      const failed = await fail(server);
      await until("both heard", () => receiver.calls.length > 0 && mails.length > 0);
      expect(receiver.calls[0]).toMatchObject({ path: "/services/very-secret" });
      expect(JSON.parse(receiver.calls[0]?.body ?? "")).toMatchObject({
        text: expect.stringContaining(failed) as string,
      });
      expect(mails[0]).toMatch(/^Message-ID: <msg_[0-9a-f]{32}@lc2>\r$/m);
      expect(mails[0]).toContain(failed);

      const tested = await server.call("POST", "/api/v1/notifications/mail/test");
      expect(tested.status, tested.text).toBe(200);
      expect(mails.some((text) => text.includes("Subject: A test of the notification mail"))).toBe(true);
      const refused = await server.call("POST", "/api/v1/notifications/tls/test");
      expect(refused.json).toMatchObject({ code: "notification-failed" });
      receiver.status = 403;
      const command = await machine.run(["notification", "test", "chat"]);
      expect(command.code).toBe(1);
      expect(command.stderr).toMatch(/answered 403/);
      for (const text of [command.stderr, server.command.text(), refused.text])
        expect(text).not.toMatch(/very-secret|secret-of-the-mail/);
    } finally {
      await new Promise<void>((resolve) => smtp.close(resolve));
    }
  });

  test("what is wrong with one is said at once, and nothing is kept", async () => {
    const server = await startServer();
    const wrong = await server.call("PUT", "/api/v1/notifications/x", {
      body: {
        events: ["failed"],
        webhook: { url: "https://user:hunter2@ops.example/", secret: "hunter2" },
        smtp: { host: "mail.example", tls: "none", from: "x", to: [], user: "u" },
      },
    });
    expect(wrong.json["code"]).toBe("request-invalid");
    expect(wrong.text).not.toContain("hunter2");
    expect((await server.call("GET", "/api/v1/notifications/x")).status).toBe(404);
  });
});
