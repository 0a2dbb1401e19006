import type pg from "pg";
import type { DatabaseIdentity } from "../../core/admission/found-place.ts";
import { Failure } from "../../core/failure.ts";
import { connect, type Connection } from "../../postgres/connection.ts";
import { connectAdmin } from "./admin-session.ts";

/** What the database is, whether or not it exists. Reads only. Rejects when its server cannot be asked. */
export async function identifyDatabase(connection: Connection): Promise<DatabaseIdentity> {
  try {
    const own = await connect(connection, { applicationName: "lc2 identify" });
    try {
      const { rows } = await own.query<{ name: string; oid: string }>(
        "SELECT datname AS name, oid::text AS oid FROM pg_database WHERE datname = current_database()",
      );
      const { name = connection.database, oid } = rows[0] ?? {};
      return { ...(await readServer(own)), database: name, ...(oid === undefined ? {} : { oid }) };
    } finally {
      await own.end();
    }
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "database-not-found") throw error;
    const admin = await connectAdmin(connection, [connection.database]);
    try {
      return { ...(await readServer(admin)), database: connection.database };
    } finally {
      await admin.end();
    }
  }
}

async function readServer(client: pg.Client): Promise<Omit<DatabaseIdentity, "database" | "oid">> {
  const { rows } = await client.query<{ started: string }>(
    "SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text AS started",
  );
  const systemIdentifier = await readSystemIdentifier(client);
  const startedAtUs = rows[0]?.started ?? "";
  return { startedAtUs, ...(systemIdentifier === undefined ? {} : { systemIdentifier }) };
}

/** Undefined: some hosted servers keep pg_control_system() to themselves. */
export async function readSystemIdentifier(client: pg.Client): Promise<string | undefined> {
  try {
    const { rows } = await client.query<{ id: string }>(
      "SELECT system_identifier::text AS id FROM pg_control_system()",
    );
    return rows[0]?.id;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "42501") return undefined;
    throw error;
  }
}
