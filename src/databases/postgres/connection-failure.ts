import { Failure } from "../../core/failure.ts";
import { connectionAddress, type Connection } from "./connection.ts";
import { quoteIdentifier } from "./quote.ts";

/**
 * What went wrong while connecting, as a Failure with the next step. Told apart by the system's and
 * PostgreSQL's own codes; by message only where there is no code.
 */
export function connectionFailure(error: unknown, connection: Connection): Failure {
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const { user, database, host, port } = connection;
  const where = host.startsWith("/") ? `the socket ${host}/.s.PGSQL.${port}` : connectionAddress(connection);
  const fail = (kind: Parameters<typeof make>[0], text: string, retry?: "backoff"): Failure =>
    make(kind, text, error, retry);

  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return fail(
        "database-unreachable",
        `The host name ${host} cannot be resolved. Check its spelling and this machine's DNS.`,
        code === "EAI_AGAIN" ? "backoff" : undefined,
      );
    case "ECONNREFUSED":
      return fail(
        "database-unreachable",
        `Nothing answers at ${where}. Check host and port, that PostgreSQL is running, and that ` +
          "listen_addresses includes this address.",
        "backoff",
      );
    case "ENOENT":
      return fail(
        "database-unreachable",
        `There is no ${where}. Check the folder and the port, and that PostgreSQL is running.`,
      );
    case "EACCES":
      return fail("database-unreachable", `This user may not open ${where}. Check the folder's permissions.`);
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "ETIMEDOUT":
    case "EPIPE":
    case "ECONNRESET":
      return fail(
        "database-unreachable",
        `The connection to ${where} failed (${code}). Check the network, firewalls and the server's log.`,
        "backoff",
      );
    case "28P01":
      return fail(
        "database-login-refused",
        `${where} refused the password of role "${user}". Check PGPASSWORD, the .pgpass file or the ` +
          "service file.",
      );
    case "28000":
      return fail(
        "database-access-refused",
        `${where} does not let role "${user}" connect to database "${database}" (${firstLine(message)}). ` +
          "Check that the role exists and may log in, and that pg_hba.conf has a line for it, this database " +
          `and this machine (sslmode here: ${connection.sslmode}).`,
      );
    case "3D000":
      return fail(
        "database-not-found",
        `There is no database "${database}" at ${where}. Check the name in the URL.`,
      );
    case "42501":
      return fail(
        "database-access-refused",
        `Role "${user}" may not connect to database "${database}". Run as its owner or a superuser: ` +
          `GRANT CONNECT ON DATABASE ${quoteIdentifier(database)} TO ${quoteIdentifier(user)};`,
      );
    case "53300":
      return fail(
        "database-busy",
        `${where} has no connection left (${firstLine(message)}). Wait, or raise max_connections.`,
        "backoff",
      );
    case "57P03":
      return fail(
        "database-busy",
        `${where} takes no connections right now (${firstLine(message)}). Try again in a moment.`,
        "backoff",
      );
    case "55000":
      return fail(
        "database-access-refused",
        `Database "${database}" takes no connections (${firstLine(message)}).`,
      );
    default:
  }
  if (/client password must be a/.test(message) || /password authentication/.test(message)) {
    return fail(
      "database-login-refused",
      `${where} asks for a password of role "${user}", and none was found. Set PGPASSWORD, or add a line ` +
        "to ~/.pgpass (mode 0600) or to a service file.",
    );
  }
  if (/SCRAM|SASL/.test(message)) {
    return fail(
      "database-login-refused",
      `Signing in at ${where} as "${user}" failed: ${firstLine(message)}.`,
    );
  }
  if (/does not support SSL/.test(message)) {
    return fail(
      "database-tls-failed",
      `${where} does not speak TLS, and sslmode=${connection.sslmode} asks for it. Switch it on in the ` +
        "server (ssl = on), or use sslmode=prefer.",
    );
  }
  if (/timeout|timed out/i.test(message)) {
    return fail(
      "database-unreachable",
      `${where} did not answer within ${connection.connectTimeoutSeconds} s. Check host, port and firewalls.`,
      "backoff",
    );
  }
  if (/terminated unexpectedly|ended unexpectedly|socket (?:hang up|disconnected)/i.test(message)) {
    return fail(
      "database-unreachable",
      `${where} closed the connection while it was being made. Check that a PostgreSQL server (not ` +
        "another service) listens there, and its log.",
      "backoff",
    );
  }
  if (isTlsCode(code) || /certificate|altnames|ssl|tls/i.test(message)) {
    return fail(
      "database-tls-failed",
      `The TLS connection to ${where} failed: ${firstLine(message)}. Check sslmode, sslrootcert (the ` +
        "authority's certificate) and that the host name is the one in the server's certificate.",
    );
  }
  return fail("database-unreachable", `Connecting to ${where} as "${user}" failed: ${firstLine(message)}.`);
}

const isTlsCode = (code: string): boolean =>
  /^(?:ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_OSSL)/.test(code);

const make = (
  code:
    | "database-unreachable"
    | "database-login-refused"
    | "database-access-refused"
    | "database-not-found"
    | "database-busy"
    | "database-tls-failed",
  message: string,
  cause: unknown,
  retry: "backoff" | undefined,
): Failure => new Failure(code, message, { cause, ...(retry === undefined ? {} : { retry }) });

const firstLine = (message: string): string => (message.split("\n")[0] ?? "").replace(/\.$/, "");
