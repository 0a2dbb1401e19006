/** The npm package as a stranger gets it: installed into an empty folder, with nothing of the checkout in reach. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createDataset, dropDatasetRoles, type DatasetSummary } from "../../demo/dataset.ts";
import { diffFingerprints, fingerprintDatabase, fingerprintFolder } from "../../demo/fingerprint.ts";
import type { PostgresServer } from "../../demo/postgres-servers.ts";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { startLc2Server } from "../support/lc2-server.ts";
import { useS3Server, type S3Server } from "../support/s3-servers.ts";
import { freshDatabase, majorsAvailable, useServer, type TestDatabase } from "../support/servers.ts";

const run = promisify(execFile);
const checkout = fileURLToPath(new URL("../..", import.meta.url));

let folder: string;
let installed: string;
let lc2: CommandLine;
let server: PostgresServer;
let s3: S3Server;
let database: TestDatabase;
let dataset: DatasetSummary;
let library: string;

beforeAll(async () => {
  s3 = await useS3Server("versitygw");
  server = await useServer((await majorsAvailable()).at(-1) ?? 0);
  folder = await mkdtemp(join(tmpdir(), "lc2-packed-"));
  installed = join(folder, "installed");
  await mkdir(installed);
  const packed = await run("npm", ["run", "--silent", "pack", "--", folder], { cwd: checkout });
  const tarball = packed.stdout.trim();
  await run(
    "npm",
    // As strict as somebody may have set it. The Node in it is in npm's cache since the checkout was set up.
    ["install", "--omit=dev", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", tarball],
    { cwd: installed },
  );
  await rm(join(folder, "package"), { recursive: true });
  // By a link from another folder, as `npm install --global` makes it.
  await symlink(join(installed, "node_modules/.bin/lc2"), join(folder, "lc2"));
  lc2 = await openCommandLine(["/usr/bin/env", "PATH=/usr/bin:/bin", join(folder, "lc2")]);

  database = await freshDatabase(server);
  library = join(lc2.folder, "library");
  dataset = await createDataset(server, database.name, library, {
    size: "tiny",
    owner: database.owner,
    staleView: false,
  });
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await lc2[Symbol.asyncDispose]();
  // The restore keeps what it replaced, under a name that begins with the database's.
  const kept = await server.psql(
    `SELECT string_agg(quote_ident(datname), ' ') FROM pg_database WHERE datname LIKE '${database.name}%'`,
  );
  for (const name of kept.trim().split(" ")) await server.psql(`DROP DATABASE ${name} WITH (FORCE)`);
  await dropDatasetRoles(server, dataset);
});

it("brings Node along and no other package, and names nothing of the checkout", async () => {
  const packages = (await readdir(join(installed, "node_modules"))).filter((name) => !name.startsWith("."));
  expect(packages).toEqual(["lc2", expect.stringMatching(/^node-(?:bin-)?(?:linux|darwin)-/)]);
  const programs = join(installed, "node_modules/lc2/lib");
  for (const name of await readdir(programs))
    expect(await readFile(join(programs, name), "utf8"), name).not.toContain(checkout);
});

it("says its version, on the Node it brought", async () => {
  const { version } = JSON.parse(await readFile(join(checkout, "package.json"), "utf8")) as {
    version: string;
  };
  const { code, stdout, stderr } = await lc2.run(["version"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toBe(`lc2 ${version} (Node.js ${process.versions.node})\n`);
});

it("finds the machine in order, and completes words", async () => {
  const doctor = await lc2.run(["doctor"]);
  expect(doctor.stdout).toContain(join(installed, "node_modules/node-"));
  expect(doctor.stdout).toMatch(/Ready/);
  expect((await lc2.run(["completion", "bash"])).stdout).toContain("complete ");
});

it("gives the licence of what is in it", async () => {
  const page = await readFile(join(installed, "node_modules/lc2/THIRD-PARTY-LICENCES.md"), "utf8");
  for (const name of ["kysely", "fastify", "pg", "@aws-sdk/client-s3"])
    expect(page).toMatch(new RegExp(`^- ${name} .*: (?:MIT|Apache-2\\.0)$`, "m"));
});

it("backs up a database and a folder, restores both, and they are equal", async () => {
  const before = [
    await fingerprintDatabase(server, database.name),
    await fingerprintFolder(library),
  ] as const;
  const { backupId } = await lc2.json(
    ["backup", "create", "--database", database.backup.url, "--files", library],
    database.backup.environment,
  );
  await server.psql(`SET ROLE "${database.owner.name}"; DELETE FROM cms.booking`, database.name);
  await rm(library, { recursive: true });
  await mkdir(library);

  await lc2.json(
    ["restore", "create", "--from", String(backupId), "--type", "full", "--yes"].concat([
      "--database",
      database.owner.url,
      "--files",
      library,
    ]),
    database.owner.environment,
  );
  expect(diffFingerprints(before[0], await fingerprintDatabase(server, database.name))).toEqual([]);
  expect(diffFingerprints(before[1], await fingerprintFolder(library))).toEqual([]);
});

it("backs up into a bucket, and reads every byte of it again", async () => {
  const repository = (await s3.freshBucket()).url;
  await mkdir(join(lc2.folder, "letters"));
  await writeFile(join(lc2.folder, "letters/first"), "to be kept");
  const { backupId } = await lc2.json(
    ["backup", "create", "--project", "bucket", "--files", join(lc2.folder, "letters")].concat([
      "--repository",
      repository,
    ]),
    s3.environment,
  );
  const verified = await lc2.run(["backup", "verify", String(backupId)], s3.environment);
  expect(verified.code, verified.stderr).toBe(0);
});

it("serves, with its pages, and works through a server", async () => {
  const service = await startLc2Server(lc2);
  try {
    expect((await service.call("GET", "/health/ready")).status).toBe(200);
    expect((await service.call("GET", "/docs")).text).toContain("<html");
    expect((await service.call("GET", "/openapi.json")).json).toMatchObject({ openapi: "3.1.0" });
    const made = await lc2.json(["backup", "create", "--files", library], { LC2_SERVER: service.url });
    expect(made).toMatchObject({ status: "Completed" });
  } finally {
    await service.stop();
  }
});
