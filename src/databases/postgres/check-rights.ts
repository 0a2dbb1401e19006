import { missing, ok, splitRemedy, type RightCheck } from "../../core/environment/environment-check.ts";
import { Failure } from "../../core/failure.ts";
import { connect, type Connection } from "../../postgres/connection.ts";
import { quoteIdentifier } from "../../postgres/quote.ts";
import { readServerFacts } from "./catalog.ts";
import { observeTarget, type ObservedTarget } from "./observe-target.ts";
import { requireReadRights } from "./probe-rights.ts";
import { findTools } from "./tools.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether a backup of the database will be able to read all of it. Reads only; what misses is an answer. */
export async function checkBackupRights(
  subject: string,
  connection: Connection,
  wanted: { readonly tools?: string; readonly env: Environment },
): Promise<RightCheck[]> {
  const client = await connect(connection, {
    applicationName: "lc2 check",
    statementTimeoutMs: 60_000,
  }).catch((error: unknown) => Failure.from(error));
  if (client instanceof Failure) return [missing(subject, "connect", client.message)];
  try {
    const facts = await readServerFacts(client);
    return [
      ok(subject, "connect"),
      await answer(subject, "read everything", requireReadRights(client, facts)),
      await answer(subject, "client tools", findTools(facts.major, wanted.tools, wanted.env)),
    ];
  } finally {
    await client.end();
  }
}

/** Whether a restore into the database will be able to make and swap it. Reads only; what misses is an answer. */
export async function checkRestoreRights(subject: string, connection: Connection): Promise<RightCheck[]> {
  const target = await observeTarget(connection).catch((error: unknown) => Failure.from(error));
  if (target instanceof Failure) return [missing(subject, "connect", target.message)];
  const role = quoteIdentifier(target.user);
  return [
    ok(subject, "connect"),
    target.createDatabase
      ? ok(subject, "create databases")
      : missing(subject, "create databases", `Role ${role} may not create databases, which the swap needs.`, [
          `ALTER ROLE ${role} CREATEDB;`,
        ]),
    ...ownership(subject, target, role),
    target.readOnlyRole
      ? missing(subject, "write", `Role ${role} is set to read only.`, [
          `ALTER ROLE ${role} RESET default_transaction_read_only;`,
        ])
      : ok(subject, "write"),
    ...(await checkExtensions(subject, connection, target)),
  ];
}

function ownership(subject: string, { state, owns, database }: ObservedTarget, role: string): RightCheck[] {
  // One that is not there yet will be its maker's.
  if (state === "missing") return [];
  if (owns) return [ok(subject, "own the database")];
  const message = `Role ${role} does not own the database, so it cannot be swapped.`;
  return [
    missing(subject, "own the database", message, [
      `ALTER DATABASE ${quoteIdentifier(database)} OWNER TO ${role};`,
    ]),
  ];
}

/** Extensions that are here and that this role could not make in a new database. */
async function checkExtensions(
  subject: string,
  connection: Connection,
  { state, server }: ObservedTarget,
): Promise<RightCheck[]> {
  if (state === "missing" || server.superuser) return [];
  const client = await connect(connection, { applicationName: "lc2 check", statementTimeoutMs: 60_000 });
  try {
    const { rows } = await client.query<{ name: string }>(`
      SELECT e.extname AS name FROM pg_extension e
        JOIN pg_available_extension_versions v ON v.name = e.extname AND v.version = e.extversion
       WHERE v.superuser AND NOT v.trusted AND e.extname <> 'plpgsql' ORDER BY 1`);
    if (rows.length === 0) return [ok(subject, "create extensions")];
    const names = rows.map(({ name }) => name);
    const message =
      `Only a superuser can create ${names.join(", ")}, so a restore into a new database leaves them out. Have them ` +
      "made in template1, which new databases are made of, or restore as a superuser. Connected to template1:";
    return [
      missing(
        subject,
        "create extensions",
        message,
        names.map((name) => `CREATE EXTENSION ${quoteIdentifier(name)};`),
      ),
    ];
  } finally {
    await client.end();
  }
}

async function answer(subject: string, right: string, tried: Promise<unknown>): Promise<RightCheck> {
  try {
    await tried;
    return ok(subject, right);
  } catch (error) {
    const { message, remedy } = splitRemedy(Failure.from(error).message);
    return missing(subject, right, message, remedy);
  }
}
