import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything that differs between installations. This file is the only reader of `process.env`. */
export interface Config {
  /** Absolute. Holds `catalog.db`, `keys/` and, by default, `repository/`. */
  readonly dataDirectory: string;
  readonly catalogFile: string;
  readonly keysDirectory: string;
  /** Where backups go when no repository is named; absolute. */
  readonly defaultRepository: string;
  /** How long an owner is believed alive without a word. */
  readonly leaseSeconds: number;
  /** The workers' environment: libpq's variables and PATH. */
  readonly env: Environment;
}

/** The process's environment, as workers and database tools need it. */
export const readEnvironment = (): Environment => ({ ...process.env });

/**
 * `dataDirectory` (from `--data-dir`) before `LC2_DATA_DIR` before `$XDG_DATA_HOME/lc2` before
 * `~/.local/share/lc2`. A relative XDG_DATA_HOME is ignored, as its specification asks.
 */
export function readConfig(
  options: { readonly dataDirectory?: string } = {},
  env: Environment = readEnvironment(),
): Config {
  const xdg = env["XDG_DATA_HOME"];
  const shared =
    xdg !== undefined && isAbsolute(xdg) ? xdg : join(env["HOME"] || homedir(), ".local", "share");
  const dataDirectory = resolve(options.dataDirectory || env["LC2_DATA_DIR"] || join(shared, "lc2"));
  const leaseSeconds = Number(env["LC2_LEASE_SECONDS"]);
  return {
    dataDirectory,
    catalogFile: join(dataDirectory, "catalog.db"),
    keysDirectory: join(dataDirectory, "keys"),
    defaultRepository: join(dataDirectory, "repository"),
    leaseSeconds: leaseSeconds >= 1 && leaseSeconds <= 3_600 ? leaseSeconds : 30,
    env,
  };
}
