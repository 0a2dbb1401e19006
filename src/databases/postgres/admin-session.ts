import type pg from "pg";
import { Failure } from "../../core/failure.ts";
import { connect, withDatabase, type Connection } from "../../postgres/connection.ts";

/**
 * A session for creating, renaming and dropping databases: in any database of the server but those named in
 * `avoid`. Rejects with what the last try was refused for.
 */
export async function connectAdmin(connection: Connection, avoid: readonly string[]): Promise<pg.Client> {
  const candidates = ["postgres", "template1", connection.user, "defaultdb"].filter(
    (name) => !avoid.includes(name),
  );
  let refusal: unknown;
  for (const database of candidates) {
    try {
      const client = await connect(sameServer(connection, database), { applicationName: "lc2 restore" });
      // It waits while rows are loaded. Servers before 14 do not know the setting.
      await client.query("SET idle_session_timeout = 0").catch(() => {});
      return client;
    } catch (error) {
      refusal = error;
      if (
        !(error instanceof Failure) ||
        !["database-not-found", "database-access-refused"].includes(error.code)
      )
        throw error;
    }
  }
  throw refusal;
}

/** Another database of the same server; a password given for the named database alone serves there too. */
export function sameServer(connection: Connection, database: string): Connection {
  const { passwordFor, database: own } = connection;
  return {
    ...withDatabase(connection, database),
    passwordFor: (name) => passwordFor(name) ?? passwordFor(own),
  };
}
