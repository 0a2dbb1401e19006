import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import type { ConnectionOptions } from "node:tls";
import pg from "pg";
import {
  databaseParameters,
  parseDatabaseUrl,
  parsePort,
  parseSslMode,
  refuseSeveralHosts,
  type SslMode,
  type UrlOptions,
} from "../core/database/database-url.ts";
import { Failure } from "../core/failure.ts";
import { connectionFailure } from "./connection-failure.ts";
import { findServiceParameters } from "./service-file.ts";
import { findPassword, readPasswordFile } from "./password-file.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** By which the sessions of a catalog are known to whoever looks at its server. */
export const catalogApplicationName = "lc2 catalog";

/** One database on one server, resolved as libpq would. Copies by spread are fine; it prints no secret. */
export interface Connection {
  /** A host name, an address, or a folder with a socket (starts with `/`). */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly sslmode: SslMode;
  readonly sslrootcert?: string;
  readonly sslcert?: string;
  readonly sslkey?: string;
  readonly sslcrl?: string;
  readonly connectTimeoutSeconds: number;
  /** Command-line options for the backend (`PGOPTIONS`). */
  readonly options?: string;
  /** Settings that only the client tools know, as environment variables. */
  readonly toolVariables: Readonly<Record<string, string>>;
  /** The password for a database on this server (.pgpass lines may name the database). A function, so that it is never printed. */
  readonly passwordFor: (database: string) => string | undefined;
}

const toolOnly = ["channel_binding", "gssencmode", "ssl_min_protocol_version", "ssl_max_protocol_version"];

/**
 * Resolves a `postgres://` or `postgresql://` URL the way libpq does: what the URL says, then the
 * service file, then PG* variables, then defaults. Rejects with `password-on-command-line` when the URL
 * carries a password and with `usage` when it cannot be understood. Connects to nothing.
 */
export async function resolveConnection(
  url: string,
  env: Environment,
  options: UrlOptions = {},
): Promise<Connection> {
  const given = parseDatabaseUrl(url, options);
  const serviceName = given["service"] ?? env["PGSERVICE"];
  const service = serviceName === undefined ? {} : await findServiceParameters(serviceName, env);
  const value = (name: string): string | undefined => {
    const found = given[name] ?? service[name] ?? env[databaseParameters[name] ?? ""];
    return found === "" ? undefined : found;
  };
  const port = parsePort(value("port"));
  const host = value("hostaddr") ?? value("host") ?? defaultHost(port);
  refuseSeveralHosts(host);
  const user = value("user") ?? userInfo().username;
  const home = env["HOME"] ?? homedir();
  const passwords = await readPasswordFile(value("passfile") ?? join(home, ".pgpass"));
  const password = value("password");
  const files = certificateFiles(value, home);
  return {
    host,
    port,
    user,
    database: value("dbname") ?? user,
    sslmode: sslModeOf(value("sslmode"), value("sslrootcert")),
    ...files,
    connectTimeoutSeconds: parseTimeout(value("connect_timeout")),
    ...optional("options", value("options")),
    toolVariables: Object.fromEntries(
      toolOnly.flatMap((name) => {
        const setting = value(name);
        return setting === undefined ? [] : [[databaseParameters[name] ?? name, setting]];
      }),
    ),
    passwordFor: (database) => password ?? findPassword(passwords, { host, port, user, database }),
  };
}

/** The same server, role and settings with another database. */
export function withDatabase(connection: Connection, database: string): Connection {
  return { ...connection, database };
}

/** `postgres://app@db:5432/lportal`, or `…/lportal?host=/run/postgresql`: for messages and metadata; never a password. */
export function redactedUrl(connection: Connection): string {
  const user = encodeURIComponent(connection.user);
  const database = encodeURIComponent(connection.database);
  if (connection.host.startsWith("/")) {
    const port = connection.port === 5432 ? "" : `&port=${connection.port}`;
    return `postgres://${user}@/${database}?host=${encodeURI(connection.host)}${port}`;
  }
  return `postgres://${user}@${connectionAddress(connection)}/${database}`;
}

/** `host:port`, or the socket's folder. */
export function connectionAddress(connection: Connection): string {
  if (connection.host.startsWith("/")) return connection.host;
  const host = connection.host.includes(":") ? `[${connection.host}]` : connection.host;
  return `${host}:${connection.port}`;
}

/**
 * The whole environment for pg_dump, pg_restore and psql: where to connect, the password, and English
 * messages. Nothing else of ours is passed on, and nothing secret has to be an argument.
 */
export function toolEnvironment(connection: Connection, env: Environment): Record<string, string> {
  const password = connection.passwordFor(connection.database);
  return {
    PATH: env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
    LANG: "C.UTF-8",
    LC_ALL: "C.UTF-8",
    PGHOST: connection.host,
    PGPORT: String(connection.port),
    PGUSER: connection.user,
    PGDATABASE: connection.database,
    PGSSLMODE: connection.sslmode,
    PGCONNECT_TIMEOUT: String(connection.connectTimeoutSeconds),
    ...connection.toolVariables,
    ...(password === undefined ? {} : { PGPASSWORD: password }),
    ...optional("PGSSLROOTCERT", connection.sslrootcert),
    ...optional("PGSSLCERT", connection.sslcert),
    ...optional("PGSSLKEY", connection.sslkey),
    ...optional("PGSSLCRL", connection.sslcrl),
    ...optional("PGOPTIONS", connection.options),
  };
}

export interface ConnectOptions {
  /** Shown in pg_stat_activity, so that an administrator knows who this is. */
  readonly applicationName: string;
  /** The server ends a statement that takes longer. */
  readonly statementTimeoutMs?: number;
  /** This side gives a statement up that got no answer for so long, from a server or network that is gone. */
  readonly answerTimeoutMs?: number;
  /** The server ends a session that does nothing in a transaction for so long, and lets its locks go. */
  readonly idleInTransactionTimeoutMs?: number;
}

/**
 * Opens one session. `search_path` is pg_catalog alone, so that nobody's objects stand in for the
 * system's; name everything else in full. Rejects with a `database-…` Failure that says what to do.
 * A connection that breaks later rejects its queries and never ends the process.
 */
export async function connect(connection: Connection, options: ConnectOptions): Promise<pg.Client> {
  const attempts = await sslAttempts(connection);
  for (const [index, ssl] of attempts.entries()) {
    try {
      return await connectOnce(connection, options, ssl);
    } catch (error) {
      const last = index === attempts.length - 1;
      if (last || !mayRetryOtherWay(error))
        throw connectionFailure(error, connection, connectionAddress(connection));
    }
  }
  throw new Failure("internal", "No way to connect was tried.");
}

async function connectOnce(
  connection: Connection,
  options: ConnectOptions,
  ssl: ConnectionOptions | false,
): Promise<pg.Client> {
  const client = new pg.Client({
    host: connection.host,
    port: connection.port,
    user: connection.user,
    database: connection.database,
    // An empty string keeps pg from looking for a password by itself.
    password: connection.passwordFor(connection.database) ?? "",
    ssl,
    application_name: options.applicationName,
    connectionTimeoutMillis: connection.connectTimeoutSeconds * 1000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
    ...(connection.options === undefined ? {} : { options: connection.options }),
    ...(options.statementTimeoutMs === undefined ? {} : { statement_timeout: options.statementTimeoutMs }),
    ...(options.answerTimeoutMs === undefined ? {} : { query_timeout: options.answerTimeoutMs }),
    ...(options.idleInTransactionTimeoutMs === undefined
      ? {}
      : { idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs }),
  });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("SELECT pg_catalog.set_config('search_path', 'pg_catalog', false)");
    return client;
  } catch (error) {
    client.end().catch(() => {});
    throw error;
  }
}

/** `prefer` and `allow` have a second way, as in libpq; every other mode has one. */
async function sslAttempts(connection: Connection): Promise<readonly (ConnectionOptions | false)[]> {
  if (connection.host.startsWith("/") || connection.sslmode === "disable") return [false];
  const ssl = await sslOptions(connection);
  if (connection.sslmode === "prefer") return [ssl, false];
  if (connection.sslmode === "allow") return [false, ssl];
  return [ssl];
}

async function sslOptions(connection: Connection): Promise<ConnectionOptions> {
  const read = async (path: string): Promise<Buffer> => {
    try {
      return await readFile(path);
    } catch (cause) {
      throw new Failure(
        "database-tls-failed",
        `The certificate file ${path} cannot be read. Check sslrootcert, sslcert and sslkey.`,
        { cause },
      );
    }
  };
  const { sslmode, sslrootcert, sslcert, sslkey, sslcrl } = connection;
  const system = sslrootcert === "system";
  if (!sslrootcert && (sslmode === "verify-ca" || sslmode === "verify-full")) {
    throw new Failure(
      "database-tls-failed",
      `sslmode=${sslmode} needs the certificate of the authority that signed the server's: give ` +
        "sslrootcert=/path/root.crt, or sslrootcert=system for the system's own list.",
    );
  }
  // As in libpq: with a root certificate at hand, `require` checks the chain too.
  const verify = sslmode.startsWith("verify") || (sslmode === "require" && sslrootcert !== undefined);
  return {
    rejectUnauthorized: verify,
    ...(sslmode === "verify-full" ? {} : { checkServerIdentity: () => undefined }),
    ...(sslrootcert && !system ? { ca: await read(sslrootcert) } : {}),
    ...(sslcert && sslkey ? { cert: await read(sslcert), key: await read(sslkey) } : {}),
    ...(sslcrl ? { crl: await read(sslcrl) } : {}),
  };
}

/** The server does not speak TLS, or its access rules have no line for this kind of connection. */
function mayRetryOtherWay(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? error.code : undefined;
  return /does not support SSL/.test(error.message) || code === "28000";
}

function certificateFiles(
  value: (name: string) => string | undefined,
  home: string,
): Pick<Connection, "sslrootcert" | "sslcert" | "sslkey" | "sslcrl"> {
  const orDefault = (name: string, file: string): string | undefined => {
    const path = join(home, ".postgresql", file);
    return value(name) ?? (existsSync(path) ? path : undefined);
  };
  return {
    ...optional("sslrootcert", orDefault("sslrootcert", "root.crt")),
    ...optional("sslcert", orDefault("sslcert", "postgresql.crt")),
    ...optional("sslkey", orDefault("sslkey", "postgresql.key")),
    ...optional("sslcrl", orDefault("sslcrl", "root.crl")),
  };
}

/** The tools' built-in socket folder depends on who built them; the one that has the socket is meant. */
function defaultHost(port: number): string {
  const folders = ["/var/run/postgresql", "/tmp"];
  return folders.find((folder) => existsSync(join(folder, `.s.PGSQL.${port}`))) ?? "localhost";
}

function sslModeOf(text: string | undefined, rootCertificate: string | undefined): SslMode {
  if (text === undefined) return rootCertificate === "system" ? "verify-full" : "prefer";
  return parseSslMode(text);
}

/** libpq waits for ever by default; a backup should say within half a minute that nobody answers. */
function parseTimeout(text: string | undefined): number {
  const seconds = Number(text ?? 20);
  return Number.isInteger(seconds) && seconds > 0 ? Math.max(2, seconds) : 20;
}

function optional<K extends string>(name: K, value: string | undefined): Partial<Record<K, string>> {
  const result: Partial<Record<K, string>> = {};
  if (value !== undefined) result[name] = value;
  return result;
}
