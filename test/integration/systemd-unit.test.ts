/** The systemd unit: what systemd itself says of it, and whether the program does what the unit counts on. */
import { execFile } from "node:child_process";
import { access, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { durationSeconds } from "../../src/cli/option-values.ts";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { startLc2Server } from "../support/lc2-server.ts";

const run = promisify(execFile);
const fileOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const unit = await readFile(fileOf("deploy/systemd/lc2.service"), "utf8");
const example = await readFile(fileOf("deploy/systemd/lc2.env.example"), "utf8");

/** The words of a setting, of all its lines. */
const setting = (name: string): string[] =>
  [...unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].flatMap(([, words = ""]) => words.split(/\s+/));
/** What ExecStart gives to the program. */
const [, verb, ...serveWords] = setting("ExecStart").filter((word) => word !== "$LC2_SERVE_OPTIONS");

const systemd = await access("/usr/bin/systemd-analyze").then(
  () => "/usr/bin/systemd-analyze",
  () => undefined,
);

describe("systemd", () => {
  let folder: string;
  let file: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "lc2-systemd-"));
    file = join(folder, "lc2.service");
    // A program that is not there would be all that is said.
    await writeFile(
      file,
      unit.replaceAll("/opt/lc2/node_modules/.bin/lc2", () => fileOf("bin/lc2")),
    );
  });
  afterAll(async () => await rm(folder, { recursive: true, force: true }));

  it("understands every line of the unit", async ({ skip }) => {
    if (systemd === undefined) return skip("systemd-analyze is not on this machine");
    const { stdout, stderr } = await run(systemd, ["verify", file]);
    expect(stdout + stderr).toBe("");
  });

  it("finds the service exposed to little: at most 2 of 10", async ({ skip }) => {
    if (systemd === undefined) return skip("systemd-analyze is not on this machine");
    const words = ["security", "--no-pager", "--offline=yes", "--threshold=20", file];
    const { stdout } = await run(systemd, words);
    expect(stdout).toMatch(/Overall exposure level for lc2\.service: [01]\.\d/);
  });
});

describe("the program", () => {
  let lc2: CommandLine;
  beforeAll(async () => {
    lc2 = await openCommandLine();
  });
  afterAll(async () => await lc2[Symbol.asyncDispose]());

  it("serves by the words of the unit, and a stop ends it well", async () => {
    expect(verb).toBe("serve");
    const server = await startLc2Server(lc2, { words: serveWords });
    expect((await server.call("GET", "/health/ready", { key: null })).status).toBe(200);
    await server.stop();
    expect(await server.command.ended()).toMatchObject({ code: 0, signal: null });
  });

  it("is given longer to stop than it takes by itself", () => {
    const drain = serveWords[serveWords.indexOf("--drain") + 1] ?? "";
    expect(durationSeconds(setting("TimeoutStopSec")[0] ?? "")).toBeGreaterThan(durationSeconds(drain) + 30);
    expect(setting("KillMode")).toEqual(["mixed"]);
  });

  it("is not started again and again where it cannot ever start", async () => {
    const hopeless = setting("RestartPreventExitStatus").map(Number);
    expect(hopeless).toContain((await lc2.run(["serve", "--no-such-option"])).code);
    expect(hopeless).toContain((await lc2.run(["serve", "--listen", "0.0.0.0:0"])).code);
  });

  it("reads every variable of its own that unit and example name", async () => {
    const names = new Set(`${unit}\n${example}`.match(/\bLC2_\w+(?==)/g));
    names.delete("LC2_SERVE_OPTIONS"); // The unit's own.
    expect(names.size).toBeGreaterThan(3);
    const sources = await readSources();
    for (const name of names) expect(sources, name).toContain(name);
  });
});

async function readSources(): Promise<string> {
  const files = (await readdir(fileOf("src"), { recursive: true })).filter((name) =>
    /(?<!\.test)\.ts$/.test(name),
  );
  return (await Promise.all(files.map(async (name) => await readFile(fileOf(`src/${name}`), "utf8")))).join(
    "\n",
  );
}
