import type pg from "pg";
import { Failure } from "../../core/failure.ts";
import { madeByExtension, userSchemas, type ServerFacts } from "./catalog.ts";
import { isNothingMissing, missingRightsMessage, type MissingRights } from "./missing-rights.ts";

/** Rejects with `rights-missing`, listing everything at once, unless this role can read it all. Reads only. */
export async function requireReadRights(client: pg.Client, facts: ServerFacts): Promise<void> {
  if (facts.superuser) return;
  const missing = await findMissingRights(client, facts);
  if (isNothingMissing(missing)) return;
  throw new Failure("rights-missing", missingRightsMessage(missing, facts.database));
}

async function findMissingRights(client: pg.Client, facts: ServerFacts): Promise<MissingRights> {
  // The tables that pg_dump locks and reads, and the sequences it asks for their value. Foreign tables and
  // views are only described.
  const { rows } = await client.query<{
    schema: string;
    name: string;
    kind: string;
    usable: boolean;
    readable: boolean;
    hidden: boolean;
  }>(`
    SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind,
           has_schema_privilege(n.oid, 'USAGE') AS usable,
           CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'SELECT')
                ELSE has_table_privilege(c.oid, 'SELECT') END AS readable,
           c.relkind = 'r' AND row_security_active(c.oid) AS hidden
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't' AND ${userSchemas}
       AND (NOT ${madeByExtension} OR EXISTS (SELECT FROM pg_extension e WHERE c.oid = ANY (e.extconfig)))
     ORDER BY 1, 2`);
  const named = (fits: (row: (typeof rows)[number]) => boolean): { schema: string; name: string }[] =>
    rows.filter(fits).map(({ schema, name }) => ({ schema, name }));
  return {
    role: facts.user,
    serverMajor: facts.major,
    schemas: [...new Set(rows.filter((row) => !row.usable).map((row) => row.schema))],
    tables: named((row) => row.kind !== "S" && !row.readable),
    sequences: named((row) => row.kind === "S" && !row.readable),
    rowSecurity: named((row) => row.hidden),
    largeObjects: await findUnreadableLargeObjects(client),
  };
}

/**
 * Grouped by owner and access list first: there may be millions of objects, and few kinds of them. The
 * owner reads by the default list; `lo_compat_privileges` switches the check off.
 */
async function findUnreadableLargeObjects(client: pg.Client): Promise<{ owner: string; count: number }[]> {
  const { rows } = await client.query<{ owner: string; count: string }>(`
    SELECT pg_get_userbyid(g.lomowner) AS owner, sum(g.n)::text AS count
      FROM (SELECT lomowner, lomacl, count(*) AS n FROM pg_largeobject_metadata GROUP BY 1, 2) AS g
     WHERE current_setting('lo_compat_privileges') <> 'on'
       AND NOT EXISTS (
         SELECT FROM aclexplode(coalesce(g.lomacl, acldefault('L', g.lomowner))) AS a
          WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))
     GROUP BY 1 ORDER BY 1`);
  return rows.map((row) => ({ owner: row.owner, count: Number(row.count) }));
}
