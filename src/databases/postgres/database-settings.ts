import type pg from "pg";
import type { RestoreEntry } from "../../core/restore/restore-entry.ts";
import {
  grantIsPossible,
  isOnDatabase,
  rolesNamedIn,
  type TargetRights,
} from "../../core/restore/leave-out.ts";
import { quoteIdentifier } from "../../postgres/quote.ts";

const identifier = '(?:"(?:[^"]|"")+"|[^\\s";]+)';

/** What a dump into a database does not carry over by itself: the database's own settings, grants, comment. */
export interface DatabaseExtras {
  /** ALTER DATABASE … SET, ALTER ROLE … IN DATABASE … SET, GRANT … ON DATABASE; for the new name. */
  readonly statements: readonly string[];
  readonly comment?: string;
}

/** Reads them from the entries that pg_restore skips unless it creates the database. Pure. */
export function databaseExtras(entries: readonly RestoreEntry[], database: string): DatabaseExtras {
  const statements: string[] = [];
  let comment: string | undefined;
  const name = quoteIdentifier(database);
  for (const entry of entries) {
    if (entry.kind === "DATABASE PROPERTIES") {
      for (const statement of splitStatements(entry.definition))
        statements.push(forDatabase(statement, name));
    } else if (isOnDatabase(entry) && entry.kind === "ACL") {
      for (const statement of splitStatements(entry.definition))
        statements.push(forDatabase(statement, name));
    } else if (isOnDatabase(entry) && entry.kind === "COMMENT") {
      comment = commentOf(entry.definition);
    }
  }
  return {
    // The catalog's own switches (template, connection limit) belong to the database that was there.
    statements: statements.filter((statement) => !/\sIS_TEMPLATE\b|^UPDATE /.test(statement)),
    ...(comment === undefined ? {} : { comment }),
  };
}

function forDatabase(statement: string, name: string): string {
  return statement
    .replace(new RegExp(`^ALTER DATABASE ${identifier}`), () => `ALTER DATABASE ${name}`)
    .replace(
      new RegExp(`^(ALTER ROLE ${identifier}) IN DATABASE ${identifier}`),
      (_, start: string) => `${start} IN DATABASE ${name}`,
    )
    .replace(new RegExp(`( ON DATABASE) ${identifier}`), () => ` ON DATABASE ${name}`);
}

/** pg_dump ends each of these statements with `;` at the end of a line. */
const splitStatements = (text: string): string[] =>
  text
    .split(/;\n/)
    .map((part) => part.trim().replace(/;$/, ""))
    .filter((part) => part !== "");

function commentOf(definition: string): string | undefined {
  const match = / IS (E?)'((?:[^']|'')*)';?\s*$/s.exec(definition);
  const text = match?.[2]?.replaceAll("''", "'");
  return match?.[1] === "E" ? text?.replaceAll("\\\\", "\\") : text;
}

/**
 * Applies them where their roles exist and this role may; gives what was not applied, as sentences. A
 * setting that the server does not know is not a reason to fail a restore.
 */
export async function applyDatabaseExtras(
  client: pg.Client,
  extras: DatabaseExtras,
  rights: TargetRights,
): Promise<string[]> {
  const notes: string[] = [];
  for (const statement of extras.statements) {
    const role = /^ALTER ROLE ("(?:[^"]|"")+"|\S+) IN DATABASE/.exec(statement)?.[1];
    const isGrant = /^(?:GRANT|REVOKE|SET SESSION)/.test(statement);
    const missing = isGrant ? rolesNamedIn(statement).filter((name) => !rights.roles.has(name)) : [];
    if (missing.length > 0) {
      notes.push(`Not applied, because the target has no role ${missing.join(", ")}: ${statement}`);
      continue;
    }
    if (isGrant && !grantIsPossible(statement, rights)) {
      notes.push(`Not applied, because another role granted it: ${statement}`);
      continue;
    }
    try {
      await client.query(statement);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const shown = role === undefined ? statement : statement.replace(/ TO .*$/s, " TO …");
      notes.push(`Not applied (${message}): ${shown}`);
    }
  }
  return notes;
}

/** The grants among entries left out that can be given after all: those of roles that exist. */
export async function applyPossibleGrants(
  client: pg.Client,
  entries: readonly RestoreEntry[],
  rights: TargetRights,
): Promise<void> {
  for (const entry of entries) {
    if (entry.kind !== "ACL" && entry.kind !== "DEFAULT ACL") continue;
    if (entry.name === "SCHEMA public" && !rights.superuser && !rights.ownsPublicSchema) continue;
    for (const statement of splitStatements(entry.definition)) {
      if (grantIsPossible(statement, rights) && !/SESSION AUTHORIZATION/.test(statement)) {
        await client.query(statement).catch(() => {});
      }
    }
  }
}
