/** Real PostgreSQL servers for tests: one per major and test run, with a fresh database for each test. */
import { randomBytes } from "node:crypto";
import { connectTo, type PostgresInstallation, type PostgresServer } from "../../demo/postgres-servers.ts";
import { askKeeper } from "./ask-keeper.ts";
import type { SharedServerAddress } from "./server-keeper.ts";

/** Majors that can be had on this machine, oldest first; installs them the first time. */
export async function majorsAvailable(): Promise<number[]> {
  return (await installations()).map((one) => one.major);
}

/** Every set of PostgreSQL programs on this machine, oldest major first. */
export async function installations(): Promise<readonly PostgresInstallation[]> {
  return (await askKeeper("/installations")) as readonly PostgresInstallation[];
}

/** The shared server of a major, started by the first test that asks. Never stop or reconfigure it. */
export async function useServer(major: number): Promise<PostgresServer> {
  return connectTo((await askKeeper(`/server/${major}`)) as SharedServerAddress);
}

/** A login role of a test. */
export interface TestRole {
  readonly name: string;
  readonly password: string;
  /** The test's database for this role, without the password. */
  readonly url: string;
  /** What a child process needs to connect with `url`: the password. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A role's URL as `DATABASE_URL` may have it. */
export function urlWithPassword(role: TestRole): string {
  return role.url.replace("@", `:${role.password}@`);
}

export interface TestDatabase extends AsyncDisposable {
  readonly name: string;
  readonly server: PostgresServer;
  /** Ordinary role that owns the database; may create databases, not roles. */
  readonly owner: TestRole;
  /** May read everything and write nothing. */
  readonly backup: TestRole;
  readonly superuser: TestRole;
  drop(): Promise<void>;
}

export interface FreshDatabaseOptions {
  /** Name of the database; default: made up. */
  readonly name?: string;
  /** Name of the owner role; default: made up. */
  readonly owner?: string;
  /** Whether the owner may create databases, as a swap needs; default true. */
  readonly ownerCreatesDatabases?: boolean;
}

/**
 * Makes an empty database with an ordinary owner and a read-only backup role, both of its own. Roles are
 * per server: give names only where a test is about them.
 */
export async function freshDatabase(
  server: PostgresServer,
  options: FreshDatabaseOptions = {},
): Promise<TestDatabase> {
  const id = randomBytes(5).toString("hex");
  const name = options.name ?? `cms_${id}`;
  const role = (roleName: string, password = randomBytes(12).toString("hex")): TestRole => {
    const url = server.urlOf(name, roleName);
    return { name: roleName, password, url, environment: { PGPASSWORD: password } };
  };
  const owner = role(options.owner ?? `owner_${id}`);
  const backup = role(`backup_${id}`);
  await server.psql(`
    CREATE ROLE ${quote(owner.name)} LOGIN PASSWORD '${owner.password}'
      ${options.ownerCreatesDatabases === false ? "NOCREATEDB" : "CREATEDB"};
    CREATE DATABASE ${quote(name)} OWNER ${quote(owner.name)};
  `);
  await createBackupRole(server, backup, owner.name);
  const drop = async () => {
    await server.psql(`DROP DATABASE IF EXISTS ${quote(name)} WITH (FORCE)`);
  };
  const superuser = role(server.superuser, server.password);
  return { name, server, owner, backup, superuser, drop, [Symbol.asyncDispose]: drop };
}

/**
 * Reading large objects needs their owner's membership (`pg_read_all_data`, from 14 on, does not cover
 * them); reading all rows of tables with row security needs BYPASSRLS.
 */
async function createBackupRole(server: PostgresServer, backup: TestRole, owner: string): Promise<void> {
  await server.psql(`
    CREATE ROLE ${quote(backup.name)} LOGIN BYPASSRLS PASSWORD '${backup.password}';
    ALTER ROLE ${quote(backup.name)} SET default_transaction_read_only = on;
    GRANT ${quote(owner)} TO ${quote(backup.name)};
    ${server.installation.major >= 14 ? `GRANT pg_read_all_data TO ${quote(backup.name)};` : ""}
  `);
}

/** An SQL identifier, whatever is in it. */
function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
