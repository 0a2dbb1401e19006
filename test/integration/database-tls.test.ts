import { chmod, chown, copyFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startPostgres, type RunningPostgres } from "../../demo/postgres-servers.ts";
import { startBackupRun } from "../support/backup-run.ts";
import { installations } from "../support/servers.ts";

// Not every set of programs that can be had was built with TLS; these were.
const withTls = (await installations()).findLast((one) => one.hasClientTools && [15, 17].includes(one.major));
if (withTls === undefined) throw new Error("no PostgreSQL with TLS is here");
const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));
const root = fixture("root.crt");

let server: RunningPostgres;

beforeAll(async () => {
  server = await startPostgres(withTls);

  const owner = await stat(server.dataDirectory);
  for (const name of ["server.crt", "server.key"]) {
    const path = join(server.dataDirectory, name);
    await copyFile(fixture(name), path);
    await chmod(path, 0o600);
    await chown(path, owner.uid, owner.gid);
  }
  await server.psql("ALTER SYSTEM SET ssl = on");
  await server.psql("SELECT pg_reload_conf(); CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
});
afterAll(() => server.stop());

/** Backs up over TLS with these parameters; gives the rows, or the failure's code. */
async function backUp(host: string, parameters: string): Promise<number | string> {
  await using backup = await startBackupRun({
    env: { PGPASSWORD: server.password, LC2_PG_BIN: withTls?.binDirectory },
  });
  const url = `postgres://${server.superuser}@${host}:${server.port}/postgres?${parameters}`;
  try {
    return (await backup.backup({ url })).rows;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

test.each([
  ["localhost", "sslmode=disable", 1],
  ["localhost", "sslmode=prefer", 1],
  ["localhost", "sslmode=allow", 1],
  ["localhost", "sslmode=require", 1],
  ["127.0.0.1", `sslmode=verify-ca&sslrootcert=${root}`, 1],
  ["localhost", `sslmode=verify-full&sslrootcert=${root}`, 1],
  // The certificate is for another name.
  ["127.0.0.1", `sslmode=verify-full&sslrootcert=${root}`, "database-tls-failed"],
  // Nobody we trust signed it.
  ["localhost", "sslmode=verify-full&sslrootcert=system", "database-tls-failed"],
  ["localhost", "sslmode=verify-ca", "database-tls-failed"],
  ["localhost", "sslmode=verify-ca&sslrootcert=/no/such/file", "database-tls-failed"],
])("%s with %s", async (host, parameters, expected) => {
  expect(await backUp(host, parameters)).toBe(expected);
});
