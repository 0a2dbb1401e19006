/**
 * Throw-away PostgreSQL servers: a real server in a temporary folder on a free loopback port, which dies
 * with the process that started it, however that one dies.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { Failure } from "../src/core/failure.ts";
import { copyTemplate, ensureTemplate, isRoot, type PostgresInstallation } from "./postgres-packages.ts";

export { ensurePostgresServers } from "./postgres-packages.ts";
export type { PostgresInstallation } from "./postgres-packages.ts";

const run = promisify(execFile);

export interface StartOptions {
  /**
   * Folder that holds the server (`data/`, `server.log`, `password`). One that holds a server already is
   * started again, crash recovery included. Absent: a temporary folder that `stop` removes.
   */
  readonly directory?: string;
  /** Server settings, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Whether the server syncs to disk; default false. Say true where a test is about loss. */
  readonly fsync?: boolean;
  /** `initdb --locale`; default `C.UTF-8`. */
  readonly locale?: string;
  /** How clients prove who they are; default `scram`, so that the paths of credentials are real ones. */
  readonly authentication?: "scram" | "trust";
  /**
   * Runs `initdb` instead of copying an initialised directory. Copies share their system identifier; a test
   * that tells servers apart by it needs this. Default false.
   */
  readonly ownSystemIdentifier?: boolean;
  /** Port to try first; default: any free one. */
  readonly port?: number;
  /** The server outlives the starting process; then `stop` is the only end. Default false. */
  readonly outliveParent?: boolean;
}

/** A server to connect to, whoever started it. */
export interface PostgresServer {
  /** `postgres://postgres@127.0.0.1:PORT/postgres`, without the password. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** `postgres` */
  readonly superuser: string;
  /** The superuser's; random. */
  readonly password: string;
  readonly installation: PostgresInstallation;
  /** URL of a database for a role (default: the superuser), without a password. */
  urlOf(database: string, role?: string): string;
  /** What a child process needs to connect as the superuser: `PGPASSWORD` and friends. */
  environment(): Record<string, string>;
  /** Runs SQL (or psql's own commands) through `psql` as the superuser; stops at the first error. Unaligned tuples. */
  psql(sql: string, database?: string): Promise<string>;
  /** Runs one statement as the superuser and returns its rows. */
  query(sql: string, database?: string): Promise<Record<string, unknown>[]>;
}

/** A server that this process started. */
export interface RunningPostgres extends PostgresServer, AsyncDisposable {
  /** Of the server's main process. */
  readonly pid: number;
  readonly directory: string;
  readonly dataDirectory: string;
  readonly logFile: string;
  /** Ends the server (default `fast`) and removes its folder if that was a temporary one. Idempotent. */
  stop(mode?: "smart" | "fast" | "immediate"): Promise<void>;
  /** Kills the server's main process like a power cut; the folder stays for a new start. */
  kill9(): Promise<void>;
}

const superuser = "postgres";
const host = "127.0.0.1";

/**
 * Starts a server and resolves when it accepts connections. Rejects with a `Failure` (`postgres-unavailable`)
 * that carries the end of the server's log.
 *
 * As root the server runs under `nobody` (PostgreSQL refuses root). It is started by a small shell which ends
 * it when this process dies, even by SIGKILL, and removes the temporary folder then.
 */
export async function startPostgres(
  installation: PostgresInstallation,
  options: StartOptions = {},
): Promise<RunningPostgres> {
  const owner = isRoot() ? await unprivilegedUser() : undefined;
  const temporary = options.directory === undefined;
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "lc2-postgres-")));
  try {
    await prepareDirectory(installation, directory, owner, options);
    const password = (await readFile(join(directory, "password"), "utf8")).trim();
    await writeSettings(directory, owner, options);
    for (let attempt = 1; ; attempt++) {
      const launched = await launch(installation, directory, owner, temporary, attempt, options);
      if (launched.ready) {
        const guarded = options.outliveParent !== true;
        return runningServer({ installation, directory, temporary, guarded, password, ...launched });
      }
      const log = await tail(join(directory, "server.log"));
      if (attempt < 5 && log.includes("Address already in use")) continue;
      throw new Failure(
        "postgres-unavailable",
        `PostgreSQL ${installation.version} in ${directory} did not start. Its log ends: ${log}`,
      );
    }
  } catch (error) {
    if (temporary) await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** `nobody` of this machine. */
async function unprivilegedUser(): Promise<Owner> {
  const passwd = await readFile("/etc/passwd", "utf8").catch(() => "");
  const fields = /^nobody:[^:]*:(\d+):(\d+):/m.exec(passwd);
  return { uid: Number(fields?.[1] ?? 65_534), gid: Number(fields?.[2] ?? 65_534) };
}

/** Servers see none of the caller's environment: no PG… variable, no time zone, no locale of a desktop. */
const serverEnvironment = { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8", TZ: "UTC" };

async function prepareDirectory(
  installation: PostgresInstallation,
  directory: string,
  owner: Owner | undefined,
  options: StartOptions,
): Promise<void> {
  if ((await stat(join(directory, "data/PG_VERSION")).catch(() => undefined)) !== undefined) return;
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o700);
  if (owner !== undefined) await chown(directory, owner.uid, owner.gid);
  const locale = options.locale ?? "C.UTF-8";
  const initialise = (folder: string) => initialiseData(installation, folder, locale, owner);
  if (options.ownSystemIdentifier === true) {
    await initialise(directory);
    return;
  }
  const { uid } = owner ?? { uid: process.getuid?.() ?? 0 };
  const name = `template-${installation.version}-${locale}-${process.arch}-uid${uid}`;
  const template = await ensureTemplate(name, owner, initialise);
  await copyTemplate(join(template, "data"), join(directory, "data"));
  await copyTemplate(join(template, "password"), join(directory, "password"));
}

/** Makes `folder/data` and `folder/password`. */
async function initialiseData(
  installation: PostgresInstallation,
  folder: string,
  locale: string,
  owner: Owner | undefined,
): Promise<void> {
  const passwordFile = join(folder, "password");
  await writeFile(passwordFile, `${randomBytes(18).toString("base64url")}\n`, { mode: 0o600 });
  if (owner !== undefined) await chown(passwordFile, owner.uid, owner.gid);
  const data = join(folder, "data");
  const how = ["--no-sync", "--encoding=UTF8", `--locale=${locale}`, "--auth=scram-sha-256"];
  await run(
    join(installation.binDirectory, "initdb"),
    ["-D", data, `--username=${superuser}`, `--pwfile=${passwordFile}`, ...how],
    { ...owner, env: serverEnvironment, cwd: folder },
  ).catch((error: unknown) => {
    throw new Failure(
      "postgres-unavailable",
      `PostgreSQL ${installation.version} could not be initialised: ${firstLineOfStderr(error)}.`,
      { cause: error },
    );
  });
  const configuration = join(data, "postgresql.conf");
  const text = await readFile(configuration, "utf8");
  await writeFile(configuration, `${text}\ninclude_if_exists = 'lc2.conf'\n`);
}

function firstLineOfStderr(error: unknown): string {
  const said = error instanceof Error && "stderr" in error ? String(error.stderr) : "";
  return said.split("\n")[0]?.trim() || (error instanceof Error ? error.message : String(error));
}

async function writeSettings(
  directory: string,
  owner: Owner | undefined,
  options: StartOptions,
): Promise<void> {
  const durable = options.fsync === true;
  const settings: Record<string, string> = {
    listen_addresses: host,
    unix_socket_directories: "",
    max_connections: "100",
    shared_buffers: "128MB",
    password_encryption: "scram-sha-256",
    log_line_prefix: "%m [%p] %q%u@%d ",
    timezone: "UTC",
    ...(durable ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
    ...options.settings,
  };
  const lines = Object.entries(settings).map(
    ([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`,
  );
  const method = options.authentication === "trust" ? "trust" : "scram-sha-256";
  const access = ["all", "replication"].map((what) => `host ${what} all ${host}/32 ${method}\n`);
  for (const [name, text] of [
    ["lc2.conf", lines.join("")],
    ["pg_hba.conf", access.join("")],
  ] as const) {
    const path = join(directory, "data", name);
    await writeFile(path, text, { mode: 0o600 });
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
  }
}

/**
 * The shell between us and the server. It passes on the signal whose name it reads; at the end of its input,
 * which is our death, it ends the server at once and removes `$1`, unless that is empty.
 */
const guardian = `
remove=$1; shift
exec 3<&0
"$@" </dev/null >&2 3<&- &
server=$!
echo "$server"
(
  trap '' INT HUP
  if read -r signal <&3; then kill -"$signal" "$server"; exit; fi
  trap '' TERM
  kill -QUIT "$server"
  while kill -0 "$server" 2>/dev/null; do sleep 0.1; done
  [ -z "$remove" ] || rm -rf -- "$remove"
) >/dev/null 2>&1 &
reader=$!
exec 3<&-
wait "$server"; status=$?
kill "$reader" 2>/dev/null
exit "$status"
`;

interface Launched {
  readonly ready: boolean;
  readonly guard: ChildProcess;
  readonly pid: number;
  readonly port: number;
}

async function launch(
  installation: PostgresInstallation,
  directory: string,
  owner: Owner | undefined,
  temporary: boolean,
  attempt: number,
  options: StartOptions,
): Promise<Launched> {
  const port = attempt === 1 && options.port !== undefined ? options.port : await freePort();
  const data = join(directory, "data");
  await rm(join(data, "postmaster.opts"), { force: true });
  const log = await open(join(directory, "server.log"), "a", 0o600);
  if (owner !== undefined) await log.chown(owner.uid, owner.gid);
  const server = [join(installation.binDirectory, "postgres"), "-D", data, "-p", String(port)];
  const shell =
    options.outliveParent === true ? ["-c", 'echo "$$"; exec "$@" </dev/null >&2'] : ["-c", guardian];
  const removes = options.outliveParent === true ? [] : [temporary ? directory : ""];
  const guard = spawn("/bin/sh", [...shell, "lc2-postgres", ...removes, ...server], {
    ...owner,
    cwd: directory,
    env: serverEnvironment,
    detached: true, // Ctrl-C in a terminal goes to the whole process group; the server's end is ours to choose
    stdio: ["pipe", "pipe", log.fd],
  });
  const exited = new Promise<false>((resolve) => guard.once("exit", () => resolve(false)));
  await log.close();
  const pid = await Promise.race([firstNumber(guard), exited]);
  const ready = pid !== false && (await Promise.race([waitUntilReady(data, pid, guard), exited]));
  if (ready) unreference(guard);
  else guard.stdin?.end();
  return { ready, guard, pid: pid === false ? 0 : pid, port };
}

/** A running server alone keeps no program from ending; the guardian ends it then. */
function unreference(guard: ChildProcess): void {
  guard.unref();
  for (const stream of [guard.stdin, guard.stdout]) {
    stream?.on("error", () => undefined);
    if (stream instanceof Socket) stream.unref();
  }
}

/** The first line that the shell prints: the server's process id. */
function firstNumber(guard: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    let text = "";
    guard.stdout?.setEncoding("utf8");
    guard.stdout?.on("data", (chunk: string) => {
      text += chunk;
      if (text.includes("\n")) resolve(Number.parseInt(text, 10));
    });
  });
}

/** The server's own word: the last line of postmaster.pid, once that file is this process's. */
async function waitUntilReady(data: string, pid: number, guard: ChildProcess): Promise<boolean> {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline && guard.exitCode === null) {
    const lines = (await readFile(join(data, "postmaster.pid"), "utf8").catch(() => "")).split("\n");
    if (Number(lines[0]) === pid && lines[7]?.trim() === "ready") return true;
    await pause(10);
  }
  return false;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, host);
  await once(probe, "listening");
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port for a loopback listener");
  return address.port;
}

async function tail(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.split("\n").slice(-8).join("\n").trim();
}

interface ServerParts {
  readonly installation: PostgresInstallation;
  readonly directory: string;
  readonly temporary: boolean;
  /** Whether the shell between us and the server listens. */
  readonly guarded: boolean;
  readonly password: string;
  readonly guard: ChildProcess;
  readonly pid: number;
  readonly port: number;
}

function runningServer(parts: ServerParts): RunningPostgres {
  const { installation, directory, temporary, guarded, password, guard, pid, port } = parts;
  const end = async (signal: "TERM" | "INT" | "QUIT" | "KILL"): Promise<void> => {
    if (guard.exitCode !== null || guard.signalCode !== null) return;
    const exited = once(guard, "exit");
    guard.ref();
    if (guarded) guard.stdin?.write(`${signal}\n`);
    else guard.kill(`SIG${signal}`);
    await exited;
  };
  const stop = async (mode: "smart" | "fast" | "immediate" = "fast"): Promise<void> => {
    await end(({ smart: "TERM", fast: "INT", immediate: "QUIT" } as const)[mode]);
    if (temporary) await rm(directory, { recursive: true, force: true });
  };
  return {
    ...connectTo({ installation, port, password }),
    pid,
    directory,
    dataDirectory: join(directory, "data"),
    logFile: join(directory, "server.log"),
    stop,
    kill9: () => end("KILL"),
    [Symbol.asyncDispose]: () => stop("fast"),
  };
}

/** The ways to talk to a throw-away server that runs already, also in another process. */
export function connectTo(server: {
  readonly installation: PostgresInstallation;
  readonly port: number;
  readonly password: string;
}): PostgresServer {
  const { installation, port, password } = server;
  const urlOf = (database: string, role = superuser) =>
    `postgres://${encodeURIComponent(role)}@${host}:${port}/${encodeURIComponent(database)}`;
  const environment = () => ({
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: superuser,
    PGPASSWORD: password,
  });
  return {
    url: urlOf("postgres"),
    host,
    port,
    superuser,
    password,
    installation,
    urlOf,
    environment,
    psql: (sql, database = "postgres") => psql(installation, { ...environment(), PGDATABASE: database }, sql),
    query: async (sql, database = "postgres") => {
      const client = await openClient(urlOf(database), password);
      try {
        return (await client.query<Record<string, unknown>>(sql)).rows;
      } finally {
        await client.end();
      }
    },
  };
}

/**
 * An open connection to a URL without a password. (`pg` given both a URL and a password forgets the
 * password.) The caller ends it.
 */
export async function openClient(url: string, password?: string): Promise<pg.Client> {
  const { hostname, port, username, pathname } = new URL(url);
  const client = new pg.Client({
    host: hostname,
    port: Number(port),
    user: decodeURIComponent(username),
    database: decodeURIComponent(pathname.slice(1)),
    ...(password === undefined ? {} : { password }),
  });
  // A server that goes away while nothing is asked; the next question says so.
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** Text that psql prints for `sql`, given on its standard input; rejects with psql's own words. */
async function psql(
  installation: PostgresInstallation,
  environment: Record<string, string>,
  sql: string,
): Promise<string> {
  if (installation.clientDirectory === undefined) {
    throw new Failure("postgres-unavailable", `No psql is there for PostgreSQL ${installation.major}.`);
  }
  const program = join(installation.clientDirectory, "psql");
  const child = spawn(program, ["-XAtq", "-v", "ON_ERROR_STOP=1"], {
    env: { ...serverEnvironment, ...environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  child.stdin.on("error", () => undefined); // psql stops reading at the first error
  child.stdin.end(sql);
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(Buffer.concat(errors).toString("utf8").trim());
  return Buffer.concat(output).toString("utf8").replace(/\n$/, "");
}
