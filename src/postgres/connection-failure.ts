import { Failure } from "../core/failure.ts";
import { quoteIdentifier } from "./quote.ts";

/** The connection that was tried. */
interface TriedConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly sslmode: string;
  readonly connectTimeoutSeconds: number;
}

type ConnectionFailureCode =
  | "database-unreachable"
  | "database-login-refused"
  | "database-access-refused"
  | "database-not-found"
  | "database-busy"
  | "database-tls-failed";

interface Cause {
  readonly code: ConnectionFailureCode;
  readonly retry?: "backoff";
  readonly say: (told: Told) => string;
}

/** What the sentences are made of. */
interface Told {
  readonly connection: TriedConnection;
  /** The address, as a person would write it. */
  readonly where: string;
  /** The server's or the system's own words, one line without a full stop. */
  readonly words: string;
}

const nameUnknown = ({ connection }: Told): string =>
  `The host name ${connection.host} cannot be resolved. Check its spelling and this machine's DNS.`;

const broken: Cause = {
  code: "database-unreachable",
  retry: "backoff",
  say: ({ where, words }) =>
    `The connection to ${where} failed (${words}). Check the network, firewalls and the server's log.`,
};

/** By the codes of the operating system and of PostgreSQL (appendix A of its manual). */
const byCode: Readonly<Record<string, Cause>> = {
  ENOTFOUND: { code: "database-unreachable", say: nameUnknown },
  EAI_AGAIN: { code: "database-unreachable", retry: "backoff", say: nameUnknown },
  ECONNREFUSED: {
    code: "database-unreachable",
    retry: "backoff",
    say: ({ where }) =>
      `Nothing answers at ${where}. Check host and port, that PostgreSQL is running, and that ` +
      "listen_addresses includes this address.",
  },
  ENOENT: {
    code: "database-unreachable",
    say: ({ where }) =>
      `There is no ${where}. Check the folder and the port, and that PostgreSQL is running.`,
  },
  EACCES: {
    code: "database-unreachable",
    say: ({ where }) => `This user may not open ${where}. Check the folder's permissions.`,
  },
  EHOSTUNREACH: broken,
  ENETUNREACH: broken,
  ETIMEDOUT: broken,
  EPIPE: broken,
  ECONNRESET: broken,
  "28P01": {
    code: "database-login-refused",
    say: ({ where, connection }) =>
      `${where} refused the password of role "${connection.user}". Check PGPASSWORD, the .pgpass file or ` +
      "the service file.",
  },
  "28000": {
    code: "database-access-refused",
    say: ({ where, connection, words }) =>
      `${where} does not let role "${connection.user}" connect to database "${connection.database}" (${words}). ` +
      "Check that the role exists and may log in, and that pg_hba.conf has a line for it, this database " +
      `and this machine (sslmode here: ${connection.sslmode}).`,
  },
  "3D000": {
    code: "database-not-found",
    say: ({ where, connection }) =>
      `There is no database "${connection.database}" at ${where}. Check the name in the URL.`,
  },
  "42501": {
    code: "database-access-refused",
    say: ({ connection: { user, database } }) =>
      `Role "${user}" may not connect to database "${database}". Run as its owner or a superuser: ` +
      `GRANT CONNECT ON DATABASE ${quoteIdentifier(database)} TO ${quoteIdentifier(user)};`,
  },
  "53300": {
    code: "database-busy",
    retry: "backoff",
    say: ({ where, words }) => `${where} has no connection left (${words}). Wait, or raise max_connections.`,
  },
  "57P03": {
    code: "database-busy",
    retry: "backoff",
    say: ({ where, words }) => `${where} takes no connections right now (${words}). Try again in a moment.`,
  },
  "55000": {
    code: "database-access-refused",
    say: ({ connection, words }) => `Database "${connection.database}" takes no connections (${words}).`,
  },
};

/** By message, in this order, where nobody gave a code. */
const byMessage: readonly { readonly fits: RegExp; readonly cause: Cause }[] = [
  {
    fits: /client password must be a|password authentication/,
    cause: {
      code: "database-login-refused",
      say: ({ where, connection }) =>
        `${where} asks for a password of role "${connection.user}", and none was found. Set PGPASSWORD, or add ` +
        "a line to ~/.pgpass (mode 0600; one that others may read is ignored) or to a service file.",
    },
  },
  {
    fits: /SCRAM|SASL/,
    cause: {
      code: "database-login-refused",
      say: ({ where, connection, words }) =>
        `Signing in at ${where} as "${connection.user}" failed: ${words}.`,
    },
  },
  {
    fits: /does not support SSL/,
    cause: {
      code: "database-tls-failed",
      say: ({ where, connection }) =>
        `${where} does not speak TLS, and sslmode=${connection.sslmode} asks for it. Switch it on in the ` +
        "server (ssl = on), or use sslmode=prefer.",
    },
  },
  {
    fits: /timeout|timed out/i,
    cause: {
      code: "database-unreachable",
      retry: "backoff",
      say: ({ where, connection }) =>
        `${where} did not answer within ${connection.connectTimeoutSeconds} s. Check host, port and firewalls.`,
    },
  },
  {
    fits: /terminated unexpectedly|ended unexpectedly|socket (?:hang up|disconnected)/i,
    cause: {
      code: "database-unreachable",
      retry: "backoff",
      say: ({ where }) =>
        `${where} closed the connection while it was being made. Check that a PostgreSQL server (not ` +
        "another service) listens there, and its log.",
    },
  },
];

const tlsCause: Cause = {
  code: "database-tls-failed",
  say: ({ where, words }) =>
    `The TLS connection to ${where} failed: ${words}. Check sslmode, sslrootcert (the authority's ` +
    "certificate) and that the host name is the one in the server's certificate.",
};

const otherCause: Cause = {
  code: "database-unreachable",
  say: ({ where, connection, words }) => `Connecting to ${where} as "${connection.user}" failed: ${words}.`,
};

/**
 * What went wrong while connecting, as a Failure with the next step. Told apart by the system's and
 * PostgreSQL's own codes; by message only where there is no code. `address` is `host:port`.
 */
export function connectionFailure(error: unknown, connection: TriedConnection, address: string): Failure {
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const { host, port } = connection;
  const where = host.startsWith("/") ? `the socket ${host}/.s.PGSQL.${port}` : address;
  const words = (message.split("\n")[0] ?? "").replace(/\.$/, "");
  const cause = findCause(code, message);
  return new Failure(cause.code, cause.say({ connection, where, words }), {
    cause: error,
    ...(cause.retry === undefined ? {} : { retry: cause.retry }),
  });
}

function findCause(code: string, message: string): Cause {
  const known = byCode[code] ?? byMessage.find(({ fits }) => fits.test(message))?.cause;
  if (known) return known;
  const isTls = tlsCodes.test(code) || /certificate|altnames|ssl|tls/i.test(message);
  return isTls ? tlsCause : otherCause;
}

const tlsCodes = /^(?:ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_OSSL)/;
