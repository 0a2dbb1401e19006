/** The OpenAPI document of a real server, tried by somebody else's tester: it believes every word of it. */
import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { startLc2Server, type Lc2Server } from "../support/lc2-server.ts";
import { preparePython } from "../support/python.ts";

let machine: CommandLine;
let server: Lc2Server;

beforeAll(async () => {
  machine = await openCommandLine();
  const source = join(machine.folder, "source");
  await mkdir(source);
  await writeFile(join(source, "file"), "content");
  await machine.json(["backup", "create", "--project", "0", "--files", source]);
  server = await startLc2Server(machine);
});
afterAll(async () => {
  await server.stop();
  await machine[Symbol.asyncDispose]();
});

test("no call of a property-based tester meets a 5xx, or an answer that the document does not describe", async () => {
  const { program, env } = await preparePython(["schemathesis==4.32.5"]);
  const words = [
    "-m",
    "schemathesis.cli",
    "run",
    `${server.url}/openapi.json`,
    "--header",
    `Authorization: Bearer ${server.adminKey}`,
    "--phases",
    "coverage,fuzzing",
    "--max-examples",
    "3",
    "--continue-on-failure",
    "--suppress-health-check",
    "all",
    "--request-timeout",
    "30",
    "--no-color",
    "--seed",
    "1",
    // What a request may mean is decided by the engine, and not all of it can be said in a schema.
    // Of its many calls without a key the first ten hear 401, the others 429.
    "--exclude-checks",
    "positive_data_acceptance,ignored_auth,missing_required_header",
    // They end when what they follow ends.
    "--exclude-operation-id",
    "followBackup",
    "--exclude-operation-id",
    "followRestore",
    "--exclude-operation-id",
    "followCopy",
  ];
  const child = spawn(program, words, { env, cwd: machine.folder, stdio: ["ignore", "pipe", "pipe"] });
  let report = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (report += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (report += text));
  const code = await new Promise((resolve) => child.once("close", resolve));
  expect(code === 0 ? "" : report).toBe("");
  const [, selected, tested] = /Selected: (\d+)\/\d+\s+Tested: (\d+)/.exec(report) ?? [];
  expect(Number(tested)).toBeGreaterThan(35);
  expect(tested).toBe(selected);
  expect((await server.call("GET", "/health/ready")).status).toBe(200);
}, 900_000);
