import { Failure } from "../failure.ts";

const sslModes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;
export type SslMode = (typeof sslModes)[number];

/** libpq's connection parameters we understand, with the variable each comes from. */
export const databaseParameters: Readonly<Record<string, string>> = {
  host: "PGHOST",
  hostaddr: "PGHOSTADDR",
  port: "PGPORT",
  user: "PGUSER",
  dbname: "PGDATABASE",
  password: "PGPASSWORD",
  passfile: "PGPASSFILE",
  service: "PGSERVICE",
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
  sslcrl: "PGSSLCRL",
  connect_timeout: "PGCONNECT_TIMEOUT",
  options: "PGOPTIONS",
  channel_binding: "PGCHANNELBINDING",
  gssencmode: "PGGSSENCMODE",
  ssl_min_protocol_version: "PGSSLMINPROTOCOLVERSION",
  ssl_max_protocol_version: "PGSSLMAXPROTOCOLVERSION",
};

/** Ours, or without a meaning for a single host. */
const ignored = new Set([
  "application_name",
  "fallback_application_name",
  "client_encoding",
  "target_session_attrs",
  "keepalives",
  "keepalives_idle",
  "keepalives_interval",
  "keepalives_count",
  "tcp_user_timeout",
]);

export interface UrlOptions {
  /** For URLs that no command line shows: those of the environment. Default: a password is refused. */
  readonly mayHoldPassword?: boolean;
}

/**
 * The parameters a database URL spells out, by libpq's names (`host`, `port`, `user`, `dbname`,
 * `sslmode`, …). Written by hand because the URL class refuses forms that libpq takes: a user without a
 * host, an encoded socket folder as host, several hosts. Pure.
 */
export function parseDatabaseUrl(url: string, options: UrlOptions = {}): Record<string, string> {
  const match =
    /^postgres(?:ql)?:\/\/(?:([^/?#@]*)@)?(\[[^\]]*\]|[^/?#:]*)(?::([^/?#]*))?(?:\/([^?#]*))?(?:\?(.*))?$/.exec(
      url,
    );
  if (!match) throw notUnderstood("Its form is postgres://user@host:port/database.");
  const [, login, host, port, database, query] = match;
  const found: Record<string, string> = {};
  const put = (name: string, text: string | undefined): void => {
    if (text !== undefined && text !== "") found[name] = decode(text);
  };
  if (login !== undefined) {
    const colon = login.indexOf(":");
    if (colon >= 0 && options.mayHoldPassword !== true) throw passwordGiven();
    put("user", colon < 0 ? login : login.slice(0, colon));
    if (colon >= 0) put("password", login.slice(colon + 1));
  }
  put("host", host?.replace(/^\[(.*)\]$/, "$1"));
  put("port", port);
  put("dbname", database);
  for (const pair of query ? query.split("&") : []) {
    const [name, text] = splitOnce(pair);
    const isSecret = name === "sslpassword" || (name === "password" && options.mayHoldPassword !== true);
    if (isSecret) throw passwordGiven();
    if (name === "ssl" && text === "true") found["sslmode"] = "require";
    else put(decode(name), text);
  }
  checkParameters(found);
  return found;
}

/** What no server and no environment could make right. */
function checkParameters(found: Readonly<Record<string, string>>): void {
  const unknown = Object.keys(found).find((name) => !(name in databaseParameters) && !ignored.has(name));
  if (unknown !== undefined) {
    throw new Failure(
      "usage",
      `The database URL has the parameter "${unknown}", which is not known. Remove it.`,
    );
  }
  const { host, hostaddr, port, sslmode } = found;
  refuseSeveralHosts(hostaddr ?? host ?? "");
  if (port !== undefined) parsePort(port);
  if (sslmode !== undefined) parseSslMode(sslmode);
}

export function refuseSeveralHosts(host: string): void {
  if (!host.includes(",")) return;
  throw new Failure(
    "usage",
    `The database URL names several hosts (${host}). A backup reads one server: name the one to use.`,
  );
}

export function parsePort(text: string | undefined): number {
  const port = Number(text ?? 5432);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Failure(
      "usage",
      `"${text}" is not a port of a database server. Give a number from 1 to 65535.`,
    );
  }
  return port;
}

export function parseSslMode(text: string): SslMode {
  const mode = sslModes.find((known) => known === text);
  if (mode === undefined) {
    throw new Failure("usage", `"${text}" is not an sslmode. Use one of ${sslModes.join(", ")}.`);
  }
  return mode;
}

function splitOnce(pair: string): [string, string] {
  const equals = pair.indexOf("=");
  return equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw notUnderstood(
      "A percent sign in it is not followed by two hexadecimal digits; write %25 for a percent sign.",
    );
  }
}

const notUnderstood = (why: string): Failure =>
  // The URL itself is not repeated: it may hold a password in a form we did not recognise.
  new Failure("usage", `The database URL cannot be understood. ${why}`);

const passwordGiven = (): Failure =>
  new Failure(
    "password-on-command-line",
    "The database URL carries a password, which every user of this machine could read in the process " +
      "list. Remove it and use PGPASSWORD, a .pgpass file or a service file.",
  );
