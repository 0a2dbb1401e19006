/** `lc2 serve` as a process: where it listens, its certificate, and how it ends. */
import { once } from "node:events";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "node:tls";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { startLc2Server } from "../support/lc2-server.ts";
import { until } from "../support/until.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));
let machine: CommandLine;

beforeEach(async () => {
  machine = await openCommandLine();
});
afterEach(async () => {
  await machine[Symbol.asyncDispose]();
});

test("it does not listen beyond this machine without TLS, unless told to", async () => {
  const refused = await machine.run(["serve", "--listen", "0.0.0.0:0"]);
  expect(refused.code).toBe(3);
  expect(refused.stderr).toContain("listen-exposed");
  const server = await startLc2Server(machine, { words: ["--listen", "0.0.0.0:0", "--insecure"] });
  await server.stop();
});

test("it says why it cannot listen", async () => {
  const server = await startLc2Server(machine);
  const second = await machine.run(["serve", "--listen", new URL(server.url).host]);
  expect([second.code, second.stderr]).toEqual([1, expect.stringContaining("listen-failed")]);
  const notOne = ["serve", "--tls-cert", fixture("root.crt"), "--tls-key", fixture("server.key")];
  expect((await machine.run(notOne)).stderr).toContain("is not the private key of the certificate");
  const words = ["serve", "--tls-cert", "/no/such/file", "--tls-key", "/no/such/file"];
  expect((await machine.run(words)).stderr).toContain("The file for TLS cannot be read");
  await server.stop();
});

test("it speaks TLS, and takes a new certificate while it runs", async () => {
  const cert = join(machine.folder, "tls.crt");
  const key = join(machine.folder, "tls.key");
  await copyFile(fixture("server.crt"), cert);
  await copyFile(fixture("server.key"), key);
  const server = await startLc2Server(machine, { words: ["--tls-cert", cert, "--tls-key", key] });
  const { port } = new URL(server.url);
  expect(server.url).toMatch(/^https:/);
  expect(await subjectAt(port)).toBe("localhost");

  // One without its key is not used, and said; the pair is.
  await copyFile(fixture("renewed.crt"), cert);
  await until("the half pair is refused", () =>
    server.command.text().includes("The new TLS certificate is not used"),
  );
  expect(await subjectAt(port)).toBe("localhost");
  await copyFile(fixture("renewed.key"), key);
  await until("the new pair is used", async () => (await subjectAt(port)) === "renewed");
  await server.stop();
});

test("it ends when what runs has ended, and the first key stays the first", async () => {
  const source = join(machine.folder, "source");
  await mkdir(source);
  await writeFile(join(source, "file"), Buffer.alloc(600_000, "x"));
  const server = await startLc2Server(machine);
  const made = await server.call("POST", "/api/v1/projects/retail/backups", {
    body: { storage: { url: `file://${source}` }, maxRateBytesPerSecond: 300_000 },
  });
  server.command.child.kill("SIGTERM");
  const { code, stdout } = await server.command.ended();
  expect(code).toBe(0);
  expect(stdout).toContain("Stopped with 0 operations unfinished.");
  const view = await machine.json(["backup", "get", String(made.json["backupId"])]);
  expect(view["status"]).toBe("Completed");
  const again = await startLc2Server(machine);
  expect(again.adminKey).toBe(server.adminKey);
  await again.stop();
});

test("a backup that has not ended in time is left to the next server", async () => {
  const source = join(machine.folder, "source");
  await mkdir(source);
  await writeFile(join(source, "file"), Buffer.alloc(20_000_000, "x"));
  const server = await startLc2Server(machine, { words: ["--drain", "100ms"] });
  const made = await server.call("POST", "/api/v1/projects/retail/backups", {
    body: { storage: { url: `file://${source}` }, maxRateBytesPerSecond: 100_000 },
  });
  await server.stop();
  const view = await machine.run(["backup", "describe", String(made.json["backupId"]), "-o", "json"]);
  expect(JSON.parse(view.stdout)).toMatchObject({ status: "Queued" });
  expect((await readFile(join(machine.folder, "data/admin.key"), "utf8")).trim()).toBe(server.adminKey);
});

/** The common name in the certificate that a new connection is shown. */
async function subjectAt(port: string): Promise<string> {
  const socket = connect({
    port: Number(port),
    host: "127.0.0.1",
    servername: "localhost",
    rejectUnauthorized: false,
  });
  try {
    await once(socket, "secureConnect");
    return String(socket.getPeerCertificate().subject.CN);
  } finally {
    socket.destroy();
  }
}
