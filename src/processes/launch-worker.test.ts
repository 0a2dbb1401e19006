import { describe, expect, it, vi } from "vitest";
import { runs } from "../../test/support/fake-engine.ts";
import { createWorkerLauncher } from "./launch-worker.ts";
import { createProcesses } from "./process-identity.ts";

interface Message {
  readonly [name: string]: unknown;
}

/** A worker that runs `program`, which has `say` for messages and `lines` for what it reads. */
const launcher = (program: string, stopGraceMs = 200) =>
  createWorkerLauncher<unknown, Message>({
    command: [process.execPath, "--input-type=module", "-e", `${prelude}${program}`],
    env: { PATH: "/usr/bin:/bin" },
    stopGraceMs,
  });
const prelude = `
  import { writeSync } from "node:fs";
  import { createInterface } from "node:readline";
  const say = (message) => writeSync(3, JSON.stringify(message) + "\\n");
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
`;

async function run(program: string, task: unknown = {}) {
  const messages: Message[] = [];
  const worker = await launcher(program).launch(task, {
    onMessage: (message) => void messages.push(message),
  });
  return { messages, end: await worker.ended };
}

describe("a launched worker", () => {
  it("gets its task as the first line and answers in messages", async () => {
    const echo = "say({ got: JSON.parse((await lines.next()).value) }); process.exit(0);";
    const { messages, end } = await run(echo, { text: "a\nb", n: 1 });
    expect(messages).toEqual([{ got: { text: "a\nb", n: 1 } }]);
    expect(end).toEqual({ exitCode: 0, errorOutput: "" });
  });

  it("has all its messages delivered, in order, before its end", async () => {
    const many = "for (let n = 0; n < 5000; n += 1) say({ n, text: 'ü'.repeat(50) }); process.exit(3);";
    const { messages, end } = await run(many);
    expect(messages.map(({ n }) => n)).toEqual(Array.from({ length: 5000 }, (_, n) => n));
    expect(new Set(messages.map(({ text }) => text))).toEqual(new Set(["ü".repeat(50)]));
    expect(end.exitCode).toBe(3);
  });

  it("leaves the end of what it wrote to standard error", async () => {
    const { end } = await run("console.error('x'.repeat(100_000) + ' the end'); process.exit(1);");
    expect(end.errorOutput).toMatch(/x the end\n$/);
    expect(end.errorOutput.length).toBeLessThanOrEqual(8_192);
  });

  it("learns of a renewed lease by a line, and of its parent's end by the end of input", async () => {
    const messages: Message[] = [];
    const program =
      "await lines.next(); say({}); say({ line: (await lines.next()).value }); process.exit(0);";
    const worker = await launcher(program).launch(
      {},
      { onMessage: (message) => void messages.push(message) },
    );
    worker.renewLease();
    await worker.ended;
    expect(messages.at(-1)).toEqual({ line: '{"lease":true}' });
  });

  it("may end by itself when asked to stop", async () => {
    const polite =
      "process.on('SIGTERM', () => process.exit(7)); say({}); await lines.next(); await lines.next();";
    const { promise: isReady, resolve: ready } = Promise.withResolvers<void>();
    const worker = await launcher(polite, 60_000).launch({}, { onMessage: () => ready() });
    await isReady;
    worker.stop();
    expect((await worker.ended).exitCode).toBe(7);
  });

  it("is killed with everything it started when it does not stop", async () => {
    let grandchild = 0;
    const deaf = `
      const { spawn } = await import("node:child_process");
      process.on("SIGTERM", () => undefined);
      const child = spawn("sleep", ["600"]);
      say({ grandchild: child.pid });
      await new Promise(() => setInterval(() => undefined, 1000));
    `;
    const { promise: isReady, resolve: ready } = Promise.withResolvers<void>();
    const worker = await launcher(deaf).launch(
      {},
      {
        onMessage: (message) => {
          grandchild = Number(message["grandchild"]);
          ready();
        },
      },
    );
    await isReady;
    const processes = createProcesses();
    expect(processes.observe(worker.identity)).toBe("alive");
    worker.stop();
    expect((await worker.ended).signal).toBe("SIGKILL");
    expect(processes.observe(worker.identity)).toBe("dead");
    await vi.waitFor(() => expect(runs(grandchild)).toBe(false), 5_000);
  });

  it("that says what cannot be read is ended", async () => {
    const garbage =
      "writeSync(3, 'no message\\n'); await new Promise(() => setInterval(() => undefined, 1000));";
    const { messages, end } = await run(garbage);
    expect(messages).toEqual([]);
    expect(end.signal).toBe("SIGKILL");
  });

  it("that cannot be started is a failure that says so", async () => {
    const launch = createWorkerLauncher({ command: ["/no/such/program"], env: {} }).launch(
      {},
      { onMessage: () => undefined },
    );
    await expect(launch).rejects.toMatchObject({ code: "worker-died" });
  });
});

describe("the identity of a process", () => {
  const processes = createProcesses();
  const mine = processes.identifyThisProcess("n");

  it("tells this process, however many owners it has, from others", () => {
    expect(processes.observe(mine)).toBe("alive");
    expect(processes.identifyThisProcess("m")).not.toBe(mine);
  });

  it("is not that of a later process with the same number, nor of one before a restart", () => {
    const parsed = JSON.parse(mine) as Record<string, unknown>;
    expect(processes.observe(JSON.stringify({ ...parsed, startTicks: "1" }))).toBe("dead");
    expect(processes.observe(JSON.stringify({ ...parsed, boot: "another" }))).toBe("dead");
  });

  it("says nothing about other machines and what it cannot read, and kills nobody there", () => {
    const parsed = JSON.parse(mine) as Record<string, unknown>;
    const elsewhere = JSON.stringify({ ...parsed, space: "another host" });
    expect(processes.observe(elsewhere)).toBe("unknown");
    expect(processes.observe("me")).toBe("unknown");
    expect(processes.observe("{}")).toBe("unknown");
    processes.killWorker(elsewhere);
    processes.killWorker("me");
  });
});

describe("a worker that is expected", () => {
  const expectingLauncher = (program: string) =>
    createWorkerLauncher<unknown, Message>({
      command: [process.execPath, "--input-type=module", "-e", `${prelude}${program}`],
      env: { PATH: "/usr/bin:/bin" },
      expecting: (taskKind) => [taskKind],
    });
  const answer =
    "say({ kind: process.argv[1] ?? 'none', task: JSON.parse((await lines.next()).value) }); process.exit(0);";

  it("is started before its task and gets it when it comes", async () => {
    const messages: Message[] = [];
    const expecting = expectingLauncher(answer);
    expecting.expect?.("seal-backup", []);
    const options = { onMessage: (message: Message) => void messages.push(message) };
    await (
      await expecting.launch(1, options)
    ).ended;
    await (
      await expecting.launch(2, options)
    ).ended;
    expect(messages).toEqual([
      { kind: "seal-backup", task: 1 },
      { kind: "none", task: 2 },
    ]);
  });

  it("is replaced when it died while it waited", async () => {
    const messages: Message[] = [];
    const expecting = expectingLauncher(`if (process.argv[1] === "gone") process.exit(1); ${answer}`);
    expecting.expect?.("gone", []);
    await vi.waitFor(async () => {
      messages.length = 0;
      await (
        await expecting.launch(1, { onMessage: (message) => void messages.push(message) })
      ).ended;
      expect(messages).toEqual([{ kind: "none", task: 1 }]);
    }, 20_000);
  });
});

describe("workers of a series", () => {
  /** Answers each task with itself and its process; stays where it is asked to. */
  const staying = `
    let task, stays = false;
    const answer = () => { say({ task, pid: process.pid }); if (!stays) process.exit(0); say({ free: true }); task = undefined; stays = false; };
    for (;;) {
      const { value, done } = await lines.next();
      if (done) process.exit(1);
      const line = JSON.parse(value);
      if (line.stay) stays = true;
      else if (line.task !== undefined) { task = line.task; setTimeout(answer, 50); }
      else say({ stray: line });
    }
  `;
  const begin = async (of: ReturnType<typeof launcher>, task: number, name: string, stays: boolean) => {
    const messages: Message[] = [];
    const onMessage = (message: Message) => void messages.push(message);
    const worker = await of.launch({ task }, { onMessage, series: { name, stays } });
    return {
      worker,
      messages,
      end: async () => ({ end: await worker.ended, pid: messages.at(-1)?.["pid"] }),
    };
  };

  it("are one process, as long as it is to stay", async () => {
    const workers = launcher(staying);
    const first = await begin(workers, 1, "a", true);
    const { end, pid } = await first.end();
    expect(end).toEqual({ exitCode: 0, errorOutput: "" });
    const other = await begin(workers, 2, "b", false);
    expect((await other.end()).pid).not.toBe(pid);
    const second = await begin(workers, 3, "a", false);
    // What is said to a run that is over does not reach the one that its process does now.
    first.worker.renewLease();
    first.worker.stop();
    first.worker.kill();
    await expect(first.worker.handOver()).resolves.toBeUndefined();
    expect((await second.end()).pid).toBe(pid);
    expect(first.messages).toEqual([{ task: 1, pid }]);
    expect(second.messages).toEqual([{ task: 3, pid }]);
    const third = await begin(workers, 4, "a", false);
    expect((await third.end()).pid).not.toBe(pid);
  });

  it("get a new one where it died while it was free", async () => {
    const workers = launcher(staying);
    const { pid } = await (await begin(workers, 1, "a", true)).end();
    process.kill(Number(pid), "SIGKILL");
    await vi.waitFor(() => expect(runs(Number(pid))).toBe(false), 5_000);
    const second = await begin(workers, 2, "a", false);
    expect(await second.end()).toMatchObject({ end: { exitCode: 0 } });
  });

  it("do not get one that was told to stop", async () => {
    const workers = launcher(`process.on("SIGTERM", () => undefined); ${staying}`, 60_000);
    const first = await begin(workers, 1, "a", true);
    first.worker.stop();
    const { pid } = await first.end();
    const second = await begin(workers, 2, "a", false);
    expect((await second.end()).pid).not.toBe(pid);
    await vi.waitFor(() => expect(runs(Number(pid))).toBe(false), 5_000);
  });
});
