import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readConfig } from "./config.ts";
import { openContexts } from "./contexts.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lc2-contexts-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const store = () => openContexts({ XDG_CONFIG_HOME: folder });
const serverOf = (env: Record<string, string>) => readConfig({ dataDirectory: "/d" }, env, store()).server;

describe("saved contexts", () => {
  it("are none at first, and what was written after that, for its owner alone", async () => {
    expect(store().read()).toEqual({ contexts: {} });
    const contexts = { current: "a", contexts: { a: { server: "https://a:1" } } };
    await store().write(contexts);
    expect(store().read()).toEqual(contexts);
    expect((await stat(store().path)).mode & 0o777).toBe(0o600);
  });

  it.each(["not JSON", "[]", '{"contexts":{"a":{}}}'])("are not guessed from %s", async (text) => {
    await store().write({ contexts: {} });
    await writeFile(store().path, text);
    expect(() => store().read()).toThrow("cannot be read");
  });

  it("name the server where LC2_SERVER does not", async () => {
    const contexts = {
      a: { server: "https://a:1", apiKeyFile: "/run/a" },
      b: { server: "http://127.0.0.1:8080" },
    };
    await store().write({ current: "a", contexts });
    expect(serverOf({})).toEqual({ url: "https://a:1", keyFile: "/run/a" });
    // The key of one server is not for another.
    expect(serverOf({ LC2_API_KEY: "lc2_x" })).toEqual({ url: "https://a:1", keyFile: "/run/a" });
    expect(serverOf({ LC2_SERVER: "https://c:1", LC2_API_KEY: "lc2_x" })).toEqual({
      url: "https://c:1",
      apiKey: "lc2_x",
    });
    expect(serverOf({ LC2_SERVER: "" })).toBeUndefined();
    await store().write({ current: "b", contexts });
    expect(serverOf({})).toEqual({ url: "http://127.0.0.1:8080", keyFile: "/d/admin.key" });
    await store().write({ contexts });
    expect(serverOf({})).toBeUndefined();
  });
});
