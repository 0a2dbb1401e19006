import { describe, expect, test } from "vitest";
import { createMemoryWorld } from "../../../test/support/memory-service.ts";
import { runInMemory, wordsOf } from "../../../test/support/memory-terminal.ts";
import { exampleBackup } from "../../../test/support/service-examples.ts";

describe("serve", () => {
  test("listens on this machine alone when nothing is said", async () => {
    const { exitCode, world } = await runInMemory(["serve"]);
    expect(exitCode).toBe(0);
    expect(world.served).toEqual({
      dataDirectory: "/var/lib/lc2",
      listen: { host: "127.0.0.1", port: 8080 },
      insecure: false,
      trustOperators: false,
      onStop: "wait",
      drainSeconds: 30,
    });
  });

  test("takes an address of either kind, a certificate and its time to stop", async () => {
    const { world } = await runInMemory(
      wordsOf(
        "serve --listen [::]:8443 --tls-cert c.pem --tls-key k.pem --drain 2m --on-stop handover --trust-operators",
      ),
    );
    expect(world.served).toMatchObject({
      listen: { host: "::", port: 8443 },
      tls: { cert: "c.pem", key: "k.pem" },
      trustOperators: true,
      onStop: "handover",
      drainSeconds: 120,
    });
  });
});

describe("api-key", () => {
  test("create shows the secret once, as a page and as JSON", async () => {
    const words = wordsOf("api-key create --name night --role operator --project retail --expires 90d");
    const page = await runInMemory(words);
    expect(page.stdout).toContain("lc2_secret");
    expect(page.stderr).toContain("shown once and kept nowhere");
    expect(page.world.calls).toEqual([
      {
        method: "createApiKey",
        arguments: [{ name: "night", role: "operator", projects: ["retail"], expiresInSeconds: 90 * 86_400 }],
      },
    ]);
    const json = JSON.parse((await runInMemory([...words, "-o", "json"])).stdout) as object;
    expect(json).toMatchObject({ name: "night", secret: "lc2_secret" });
  });

  test("is for looking at all projects when nothing is said", async () => {
    const { world } = await runInMemory(wordsOf("api-key create --name dashboard"));
    expect(world.calls[0]?.arguments).toEqual([{ name: "dashboard", role: "viewer" }]);
  });

  test("list, rotate and revoke show the key and never its secret but the new one's", async () => {
    const list = await runInMemory(["api-key", "list"]);
    expect(list.stdout).toContain("key-0123456789ab  nightly  operator  retail");
    expect((await runInMemory(["api-key", "list", "-o", "name"])).stdout).toBe("key-0123456789ab\n");
    const rotated = await runInMemory(wordsOf("api-key rotate key-0123456789ab --overlap 1h"));
    expect(rotated.stdout).toContain("lc2_new");
    expect(rotated.world.calls[0]?.arguments).toEqual(["key-0123456789ab", { overlapSeconds: 3600 }]);
    const revoked = await runInMemory(["api-key", "revoke", "key-0123456789ab"]);
    expect(revoked.stdout).toContain("revoked");
    expect((await runInMemory(["api-key", "revoke", "key-none"])).exitCode).toBe(4);
  });

  test("list says how the first one is made", async () => {
    const world = createMemoryWorld();
    world.apiKeys.length = 0;
    expect((await runInMemory(["api-key", "list"], { world })).stdout).toContain("lc2 serve");
  });
});

describe("--no-wait", () => {
  const { backupId } = exampleBackup();

  test.each([
    ["backup create --files /x --no-wait", "submitBackup"],
    [`restore create --from ${backupId} --files /x --no-wait --approve 0123456789abcdef`, "submitRestore"],
  ])("lc2 %s returns when the server has recorded it", async (line, method) => {
    const { exitCode, stdout, world } = await runInMemory([...wordsOf(line), "-o", "json"], {
      usesServer: true,
    });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ status: "Pending" });
    expect(world.calls.map((call) => call.method)).toContain(method);
  });

  test.each(["backup create --files /x --no-wait", `restore create --from ${backupId} --files /x --no-wait`])(
    "lc2 %s is refused where nobody would do the work",
    async (line) => {
      const { exitCode, stderr, world } = await runInMemory(wordsOf(line));
      expect(exitCode).toBe(2);
      expect(stderr).toContain("there is no server");
      expect(world.calls.map(({ method }) => method)).not.toContain("submitBackup");
    },
  );
});
