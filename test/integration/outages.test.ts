/** What is away and comes back under a real server's hands: its own process, the network, a store, the catalog. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startPostgres } from "../../demo/postgres-servers.ts";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { openGateway, type Gateway } from "../support/gateway.ts";
import { startLc2Server, type Lc2Server } from "../support/lc2-server.ts";
import { useS3Server, type S3Server } from "../support/s3-servers.ts";
import { installations } from "../support/servers.ts";
import { until } from "../support/until.ts";

let machine: CommandLine;
let server: Lc2Server;
beforeEach(async () => {
  machine = await openCommandLine();
});
afterEach(async () => {
  server?.command.child.kill("SIGKILL");
  await server?.command.ended();
  await until("its workers are gone", async () => (await machine.workers()).length === 0);
  await machine?.[Symbol.asyncDispose]();
});

/** A folder of so many random megabytes. */
async function makeFiles(name: string, megabytes: number): Promise<string> {
  const folder = join(machine.folder, name);
  await mkdir(folder, { recursive: true });
  for (let index = 0; index < megabytes; index += 1)
    await writeFile(join(folder, `file-${index}`), randomBytes(1_000_000));
  return folder;
}

interface Wish {
  readonly folder: string;
  readonly repository?: string;
  readonly bytesPerSecond?: number;
}
/** Asks for a backup; where it is followed. */
async function submit({ folder, repository, bytesPerSecond }: Wish): Promise<string> {
  const answer = await server.call("POST", "/api/v1/projects/shop/backups", {
    body: {
      storage: { url: `file://${folder}` },
      ...(repository === undefined ? {} : { repository }),
      ...(bytesPerSecond === undefined ? {} : { maxRateBytesPerSecond: bytesPerSecond }),
    },
  });
  expect(answer.text).not.toContain("problem");
  expect(answer.status).toBe(201);
  return answer.headers.get("location") ?? "";
}
const view = async (path: string) => (await server.call("GET", path)).json;
const reaches = async (path: string, status: string): Promise<void> =>
  await until(`${path} is ${status}`, async () => (await view(path))["status"] === status, 90_000);
const logOf = async (path: string): Promise<string> => (await server.call("GET", `${path}/logs`)).text;
const idOf = (path: string): string => path.split("/").at(-1) ?? "";

describe("a server that is killed during a backup", () => {
  test("is followed by one that makes it anew, under the same id", async () => {
    const folder = await makeFiles("files", 6);
    server = await startLc2Server(machine);
    const backup = await submit({ folder, bytesPerSecond: 1_000_000 });
    await reaches(backup, "TransferInProgress");
    server.command.child.kill("SIGKILL");
    await server.command.ended();
    server = await startLc2Server(machine);
    await reaches(backup, "Completed");
    expect((await view(backup))["metadata"]).toMatchObject({ attempt: 2 });
    expect((await machine.run(["backup", "verify", idOf(backup)])).code).toBe(0);
  });
});

describe("a store in a network", () => {
  let s3: S3Server;
  let gateway: Gateway;
  beforeAll(async () => {
    s3 = await useS3Server("versitygw");
  });
  beforeEach(async () => {
    gateway = await openGateway(s3.endpoint);
  });
  afterEach(async () => await gateway.cut());

  const repositoryIn = async (name: string): Promise<string> => {
    const bucket = await s3.freshBucket();
    return bucket.urlOf({ endpoint: `http://127.0.0.1:${gateway.port}`, prefix: name });
  };

  test("that is cut off for seconds costs a running backup nothing but time", async () => {
    const folder = await makeFiles("files", 8);
    server = await startLc2Server(machine, { env: s3.environment });
    const repository = await repositoryIn("cut");
    const backup = await submit({ folder, repository, bytesPerSecond: 2_000_000 });
    await reaches(backup, "TransferInProgress");
    await gateway.cut();
    await until("it was noticed", async () => (await view(backup))["status"] === "TransferInProgress");
    await gateway.mend();
    await reaches(backup, "Completed");
    expect((await view(backup))["metadata"]).toMatchObject({ attempt: 1 });
  });

  test("that is away keeps its own operations waiting, and no others; then they complete", async () => {
    const folders = [await makeFiles("one", 1), await makeFiles("two", 1), await makeFiles("three", 1)];
    const [one = "", two = "", three = ""] = folders;
    server = await startLc2Server(machine, { env: { ...s3.environment, LC2_MAX_BACKUPS: "1" } });
    const repository = await repositoryIn("away");
    await gateway.cut();
    const first = await submit({ folder: one, repository });
    const second = await submit({ folder: two, repository });
    const local = await submit({ folder: three });
    await reaches(local, "Completed");
    await until(
      "both wait for the store",
      async () => {
        const views = [await view(first), await view(second)];
        return views.every(({ queue }) => JSON.stringify(queue ?? "").includes("does not answer since"));
      },
      60_000,
    );
    expect(await logOf(first)).toContain("Trying again in");
    // The other one was not sent there in vain.
    expect(await logOf(second)).not.toContain("Trying again in");
    await gateway.mend();
    await reaches(first, "Completed");
    await reaches(second, "Completed");
    const explained = await machine.run(["backup", "explain", idOf(first)], s3.environment);
    expect(explained.stdout).toContain("completed");
  });

  test("that is away can be given up: what waits for it is cancelled at once", async () => {
    const folder = await makeFiles("one", 1);
    server = await startLc2Server(machine, { env: s3.environment });
    const repository = await repositoryIn("given-up");
    await gateway.cut();
    const backup = await submit({ folder, repository });
    await until("it waits", async () => (await logOf(backup)).includes("Trying again in"), 60_000);
    await until("it is cancelled", async () => {
      const { json } = await server.call("POST", `${backup}/cancel`);
      return json["status"] === "Cancelled" || json["code"] === "already-finished";
    });
    expect((await view(backup))["status"]).toBe("Cancelled");
  });
});

describe("a catalog on PostgreSQL", () => {
  test("that is stopped makes the server unready, and takes nothing from a running backup", async () => {
    const newest = (await installations()).at(-1);
    if (newest === undefined) throw new Error("No PostgreSQL server can be had here.");
    const directory = await mkdtemp(join(tmpdir(), "lc2-catalog-outage-"));
    const catalog = await startPostgres(newest, { directory });
    try {
      const folder = await makeFiles("files", 8);
      const env = { DATABASE_URL: catalog.url.replace("@", `:${catalog.password}@`), LC2_LEASE_SECONDS: "3" };
      server = await startLc2Server(machine, { env });
      const backup = await submit({ folder, bytesPerSecond: 800_000 });
      await reaches(backup, "TransferInProgress");
      await catalog.stop("fast");
      const stoppedAtMs = performance.now();
      await until("it is not ready", async () => (await server.call("GET", "/health/ready")).status === 503);
      expect((await server.call("GET", "/health/ready")).text).toContain("catalog");
      expect((await server.call("GET", "/health/live")).status).toBe(200);
      const refused = await server.call("POST", "/api/v1/projects/shop/backups", {
        body: { storage: { url: `file://${folder}` } },
      });
      expect(refused.status).toBe(503);
      expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
      // Longer than a lease: whoever could would have given the operation up.
      await until("two leases are over", () => performance.now() - stoppedAtMs > 7_000);
      await using again = await startPostgres(newest, { directory, port: catalog.port });
      await until("it is ready", async () => (await server.call("GET", "/health/ready")).status === 200);
      await reaches(backup, "Completed");
      expect((await view(backup))["metadata"]).toMatchObject({ attempt: 1 });
      expect(await logOf(backup)).not.toContain("died");
      await server.stop();
      await again.stop();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
