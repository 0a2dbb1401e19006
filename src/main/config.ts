import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import type { ContextStore } from "../cli/contexts.ts";
import type { AdmissionLimits } from "../core/admission/admit-operations.ts";
import type { CallLimits } from "../engine/call-gate.ts";
import { openContexts, type Environment } from "./contexts.ts";

export type { Environment };

/** Everything that differs between installations. This file is the only reader of `process.env`. */
export interface Config {
  /** Absolute. Holds `keys/` and, by default, `catalog.db` and `repository/`. */
  readonly dataDirectory: string;
  readonly catalog: CatalogPlace;
  readonly keysDirectory: string;
  /** Where backups go when no repository is named: LC2_REPOSITORY, a path, file:///… or s3://…, or a folder of the data directory. */
  readonly defaultRepository: string;
  /** What hooks may do here; absolute. Need not be there. */
  readonly hooksFile: string;
  /** How long an owner is believed alive without a word. */
  readonly leaseSeconds: number;
  /** For how long a task may move no byte before it counts as stalled. */
  readonly stallMinutes: number;
  /** What may run at once of what servers take. */
  readonly limits: AdmissionLimits;
  /** What may run at once in this process beside that. */
  readonly callLimits: CallLimits;
  /** The server that the command line speaks to, instead of working itself. Throws where saved contexts cannot be read. */
  readonly server: ServerPlace | undefined;
  /** The workers' environment: libpq's variables and PATH. Without the catalog's password: they never use it. */
  readonly env: Environment;
}

export interface ServerPlace {
  readonly url: string;
  /** A secret: never for a message. */
  readonly apiKey?: string;
  /** Where it is otherwise: LC2_API_KEY_FILE or, for a server of this machine, admin.key in the data directory. */
  readonly keyFile?: string;
}

/** One file for the programs of one machine, or a PostgreSQL database for any number of machines. */
export type CatalogPlace =
  | { readonly kind: "sqlite"; readonly file: string }
  | {
      readonly kind: "postgres";
      /** May hold a password: never for a message. */
      readonly url: string;
      readonly schema: string;
      /** Where libpq's files are. */
      readonly env: Environment;
    };

/** The process's environment, as workers and database tools need it. */
export const readEnvironment = (): Environment => ({ ...process.env });

/**
 * `dataDirectory` (from `--data-dir`) before `LC2_DATA_DIR` before `$XDG_DATA_HOME/lc2` before
 * `~/.local/share/lc2`. A relative XDG_DATA_HOME is ignored, as its specification asks. The catalog is in it unless
 * `DATABASE_URL` names a PostgreSQL database (schema `LC2_CATALOG_SCHEMA`, or `lc2`).
 */
export function readConfig(
  options: { readonly dataDirectory?: string } = {},
  env: Environment = readEnvironment(),
  contexts: ContextStore = openContexts(env),
): Config {
  const xdg = env["XDG_DATA_HOME"];
  const shared =
    xdg !== undefined && isAbsolute(xdg) ? xdg : join(env["HOME"] || homedir(), ".local", "share");
  const dataDirectory = resolve(options.dataDirectory || env["LC2_DATA_DIR"] || join(shared, "lc2"));
  const leaseSeconds = Number(env["LC2_LEASE_SECONDS"]);
  const stallMinutes = Number(env["LC2_STALL_MINUTES"]);
  return {
    dataDirectory,
    catalog: readCatalogPlace(dataDirectory, env),
    keysDirectory: join(dataDirectory, "keys"),
    hooksFile: resolve(env["LC2_HOOKS_FILE"] || join(dataDirectory, "hooks.json")),
    defaultRepository: env["LC2_REPOSITORY"] || join(dataDirectory, "repository"),
    limits: readLimits(env),
    callLimits: {
      calls: readCount(env, "LC2_MAX_CALLS") ?? 8,
      callWaitSeconds: readCount(env, "LC2_CALL_WAIT_SECONDS") ?? 20,
    },
    get server() {
      return readServerPlace(dataDirectory, env, contexts);
    },
    stallMinutes: stallMinutes > 0 && stallMinutes <= 1_440 ? stallMinutes : 15,
    leaseSeconds: leaseSeconds >= 1 && leaseSeconds <= 3_600 ? leaseSeconds : 30,
    env: Object.fromEntries(Object.entries(env).filter(([name]) => !ownSecrets.has(name))),
  };
}

/** What is no whole number from 1 on counts as not given. */
const readCount = (env: Environment, name: string): number | undefined =>
  /^[1-9]\d{0,5}$/.test(env[name] ?? "") ? Number(env[name]) : undefined;

function readLimits(env: Environment): AdmissionLimits {
  const perProject = readCount(env, "LC2_MAX_PER_PROJECT");
  return {
    backups: readCount(env, "LC2_MAX_BACKUPS") ?? 10,
    restores: readCount(env, "LC2_MAX_RESTORES") ?? 5,
    ...(perProject === undefined ? {} : { perProject }),
  };
}

/** What workers never use. */
const ownSecrets: ReadonlySet<string> = new Set(["DATABASE_URL", "LC2_API_KEY"]);

/** LC2_SERVER goes before the saved context in use, also where it is empty: then there is none. */
function readServerPlace(
  dataDirectory: string,
  env: Environment,
  contexts: ContextStore,
): ServerPlace | undefined {
  const named = env["LC2_SERVER"];
  const saved = named === undefined ? contexts.read() : undefined;
  const context = saved?.current === undefined ? undefined : saved.contexts[saved.current];
  const url = named || context?.server;
  if (url === undefined) return undefined;
  // The key of one server is not for another: a context that says where its own is asks for no other.
  if (context?.apiKeyFile !== undefined) return { url, keyFile: context.apiKeyFile };
  const apiKey = env["LC2_API_KEY"] || undefined;
  // The admin's key of this machine goes to a server of this machine, and to no other by itself.
  const isHere = /^https?:\/\/(?:127(?:\.\d+){3}|localhost|\[::1\])(?::\d+)?\/?$/.test(url);
  const keyFile = env["LC2_API_KEY_FILE"] || (isHere ? join(dataDirectory, "admin.key") : undefined);
  return {
    url,
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(keyFile === undefined ? {} : { keyFile }),
  };
}

function readCatalogPlace(dataDirectory: string, env: Environment): CatalogPlace {
  const url = env["DATABASE_URL"] ?? "";
  if (url === "") return { kind: "sqlite", file: join(dataDirectory, "catalog.db") };
  return { kind: "postgres", url, schema: env["LC2_CATALOG_SCHEMA"] || "lc2", env };
}
