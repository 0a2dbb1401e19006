import { Failure } from "../core/failure.ts";

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
  return found;
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
