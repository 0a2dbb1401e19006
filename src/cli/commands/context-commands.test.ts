import { describe, expect, test } from "vitest";
import { createMemoryWorld } from "../../../test/support/memory-service.ts";
import { runInMemory } from "../../../test/support/memory-terminal.ts";

const run = async (line: string, world = createMemoryWorld()) =>
  await runInMemory(line.split(" "), { world });

describe("context", () => {
  test("set keeps a server and uses it; the key stays where it is", async () => {
    const { world, stdout } = await run(
      "context set production --server https://backup.example.com:8443 --api-key-file /run/lc2-key",
    );
    expect(stdout).toBe("production: https://backup.example.com:8443, in use from now on\n");
    expect(world.contexts).toEqual({
      current: "production",
      contexts: {
        staging: { server: "https://staging.example.com" },
        production: { server: "https://backup.example.com:8443", apiKeyFile: "/run/lc2-key" },
      },
    });
    await run("context set here --server http://127.0.0.1:8080", world);
    expect(world.contexts.current).toBe("here");
    expect(Object.keys(world.contexts.contexts)).toEqual(["staging", "production", "here"]);
  });

  test("use changes which one counts, or that none does", async () => {
    const world = createMemoryWorld();
    world.contexts = { contexts: { a: { server: "http://a" }, b: { server: "http://b" } } };
    expect((await run("context use b", world)).stdout).toBe("b is in use\n");
    expect(world.contexts.current).toBe("b");
    expect((await run("context list", world)).stdout).toMatch(/^b +http:\/\/b +yes/m);
    expect((await run("context list -o name", world)).stdout).toBe("a\nb\n");
    await run("context use --none", world);
    expect(world.contexts.current).toBeUndefined();
  });

  test("delete forgets one, and the one in use too", async () => {
    const world = createMemoryWorld();
    world.contexts = { current: "a", contexts: { a: { server: "http://a" }, b: { server: "http://b" } } };
    await run("context delete a --dry-run", world);
    expect(Object.keys(world.contexts.contexts)).toEqual(["a", "b"]);
    await run("context delete a", world);
    expect(world.contexts).toEqual({ contexts: { b: { server: "http://b" } } });
  });

  test.each([
    ["context use nowhere", 4, "context-not-found"],
    ["context delete nowhere", 4, "context-not-found"],
    ["context use", 2, "or --none must be given"],
    ["context set x --server ftp://x", 2, "must be http://host:port"],
    ["context set No/Name --server http://x", 2, "lower-case letters"],
  ])("%s is refused", async (line, code, reason) => {
    const { exitCode, stderr } = await run(line);
    expect(exitCode).toBe(code);
    expect(stderr).toContain(reason);
  });
});

describe("cancel --dry-run", () => {
  test("says what cancelling would do, and refuses where there is nothing to cancel", async () => {
    const world = createMemoryWorld();
    const [id, view] = [...world.backups][0] ?? [];
    if (id === undefined || view === undefined) throw new Error("There is a backup.");
    const ended = await run(`backup cancel ${id} --dry-run`, world);
    expect(ended.stderr).toContain("already-finished");
    world.backups.set(id, { ...view, status: "TransferInProgress" });
    const running = await run(`backup cancel ${id} --dry-run`, world);
    expect(running.stdout).toContain("stop its workers (it is TransferInProgress)");
    world.backups.set(id, { ...view, status: "Queued" });
    expect((await run(`backup cancel ${id} --dry-run`, world)).stdout).toContain("out of the queue");
    const [restoreId, restore] = [...world.restores][0] ?? [];
    if (restoreId === undefined || restore === undefined) throw new Error("There is a restore.");
    world.restores.set(restoreId, { ...restore, status: "RestoringDump" });
    expect((await run(`restore cancel ${restoreId} --dry-run`, world)).stdout).toContain("take back");
    expect(world.calls.map(({ method }) => method)).not.toContain("cancelBackup");
    expect(world.calls.map(({ method }) => method)).not.toContain("cancelRestore");
  });
});
