import type pg from "pg";
import { unquote } from "../../core/restore/leave-out.ts";

const roleName = '("(?:[^"]|"")+"|[^\\s";]+)';

/**
 * Creates the roles of the backup that the server lacks (without passwords: they are not in a backup), with
 * their settings and memberships. Roles that exist are left alone. Gives what could not be done, as sentences.
 */
export async function createMissingRoles(client: pg.Client, rolesSql: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>("SELECT rolname AS name FROM pg_roles");
  const existing = new Set(rows.map((row) => row.name));
  const made = new Set<string>();
  const notes: string[] = [];
  for (const statement of roleStatements(rolesSql)) {
    if (existing.has(statement.role) && !made.has(statement.role)) continue;
    try {
      await client.query(statement.sql);
      if (statement.creates) {
        existing.add(statement.role);
        made.add(statement.role);
      }
    } catch (error) {
      notes.push(`Not applied (${error instanceof Error ? error.message : String(error)}): ${statement.sql}`);
    }
  }
  if (made.size > 0)
    notes.unshift(`Roles were created without passwords: ${[...made].toSorted().join(", ")}.`);
  return notes;
}

/** Roles that the SQL would create. Pure. */
export function rolesCreatedBy(rolesSql: string): string[] {
  return roleStatements(rolesSql)
    .filter((statement) => statement.creates)
    .map((statement) => statement.role);
}

interface RoleStatement {
  readonly sql: string;
  readonly role: string;
  readonly creates: boolean;
}

/** Statements about roles only; database-level settings come from the archive. */
function roleStatements(rolesSql: string): RoleStatement[] {
  return rolesSql.split(/;[ \t]*\n/).flatMap((part): RoleStatement[] => {
    const sql = part
      .replaceAll(/^--.*$/gm, "")
      .trim()
      .replace(/;$/, "");
    const created = new RegExp(`^CREATE ROLE ${roleName}`).exec(sql)?.[1];
    if (created !== undefined) return [{ sql, role: unquote(created), creates: true }];
    if (/ IN DATABASE /.test(sql)) return [];
    const altered = new RegExp(`^ALTER ROLE ${roleName}`).exec(sql)?.[1];
    const member = new RegExp(`^GRANT ${roleName} TO ${roleName}`).exec(sql)?.[2];
    const role = altered ?? (/ ON /.test(sql) ? undefined : member);
    return role === undefined ? [] : [{ sql, role: unquote(role), creates: false }];
  });
}
