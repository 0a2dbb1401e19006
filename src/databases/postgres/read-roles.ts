import type pg from "pg";
import { databaseStatements, roleStatements, type DatabaseSettings, type RoleFacts } from "./roles-sql.ts";

/**
 * `roles.sql`: the roles that the database's objects, grants and settings name, with the groups they are in
 * and their members, without passwords; then what the database itself carries. As SQL that psql runs.
 */
export async function readRolesSql(client: pg.Client, serverMajor: number): Promise<string> {
  const roles = await readRoles(client);
  const oids = roles.map((role) => role.oid);
  const memberships = await readMemberships(client, oids, serverMajor);
  const settings = await readDatabaseSettings(client);
  return [
    "-- Roles (without passwords) and database-level settings. Run as a role that may create roles.",
    "-- Statements about roles that exist fail; that is harmless.",
    ...roleStatements(roles, memberships),
    "-- The database itself: its settings, rights and comment.",
    ...databaseStatements(settings),
    "",
  ].join("\n");
}

/** Named by the database (owners, grantees, policies, settings), then members of those, then groups of all. */
async function readRoles(client: pg.Client): Promise<(RoleFacts & { oid: string })[]> {
  const { rows } = await client.query<{
    oid: string;
    name: string;
    superuser: boolean;
    inherit: boolean;
    create_role: boolean;
    create_db: boolean;
    login: boolean;
    replication: boolean;
    bypass_rls: boolean;
    connection_limit: number;
    valid_until: string | null;
    settings: string[] | null;
    comment: string | null;
  }>(`
    WITH RECURSIVE db AS (SELECT oid, datdba FROM pg_database WHERE datname = current_database()),
    named(oid) AS (
      SELECT datdba FROM db
      UNION SELECT s.refobjid FROM pg_shdepend s, db
       WHERE s.refclassid = 'pg_authid'::regclass
         AND (s.dbid = db.oid OR (s.dbid = 0 AND s.classid = 'pg_database'::regclass AND s.objid = db.oid))
      UNION SELECT s.setrole FROM pg_db_role_setting s, db WHERE s.setdatabase = db.oid AND s.setrole <> 0
      UNION SELECT m.member FROM pg_auth_members m JOIN named ON named.oid = m.roleid
    ),
    wanted(oid) AS (
      SELECT oid FROM named
      UNION SELECT m.roleid FROM pg_auth_members m JOIN wanted ON wanted.oid = m.member
    )
    SELECT r.oid::text AS oid, r.rolname AS name, r.rolsuper AS superuser, r.rolinherit AS inherit,
           r.rolcreaterole AS create_role, r.rolcreatedb AS create_db, r.rolcanlogin AS login,
           r.rolreplication AS replication, r.rolbypassrls AS bypass_rls, r.rolconnlimit AS connection_limit,
           CASE WHEN r.rolvaliduntil = 'infinity' THEN 'infinity'
                ELSE to_char(r.rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS+00') END AS valid_until,
           r.rolconfig AS settings, shobj_description(r.oid, 'pg_authid') AS comment
      FROM pg_roles r JOIN wanted ON wanted.oid = r.oid
     WHERE r.rolname !~ '^pg_' ORDER BY r.rolname`);
  return rows.map((row) => ({
    oid: row.oid,
    name: row.name,
    attributes: {
      SUPERUSER: row.superuser,
      INHERIT: row.inherit,
      CREATEROLE: row.create_role,
      CREATEDB: row.create_db,
      LOGIN: row.login,
      REPLICATION: row.replication,
      BYPASSRLS: row.bypass_rls,
    },
    connectionLimit: row.connection_limit,
    validUntil: row.valid_until ?? undefined,
    settings: row.settings ?? [],
    comment: row.comment ?? undefined,
  }));
}

async function readMemberships(
  client: pg.Client,
  oids: readonly string[],
  serverMajor: number,
): Promise<{ group: string; member: string; options: Record<string, boolean> }[]> {
  const more =
    serverMajor >= 16
      ? "inherit_option, set_option"
      : "NULL::boolean AS inherit_option, NULL::boolean AS set_option";
  const { rows } = await client.query<{
    group: string;
    member: string;
    admin_option: boolean;
    inherit_option: boolean | null;
    set_option: boolean | null;
  }>(
    `SELECT g.rolname AS group, m.rolname AS member, bool_or(admin_option) AS admin_option,
            bool_or(inherit_option) AS inherit_option, bool_or(set_option) AS set_option
       FROM (SELECT roleid, member, admin_option, ${more} FROM pg_auth_members) AS a
       JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
      WHERE a.member = ANY ($1::oid[]) GROUP BY 1, 2 ORDER BY 1, 2`,
    [oids],
  );
  return rows.map((row) => ({
    group: row.group,
    member: row.member,
    options: {
      ...(row.admin_option ? { ADMIN: true } : {}),
      ...(row.inherit_option === false ? { INHERIT: false } : {}),
      ...(row.set_option === false ? { SET: false } : {}),
    },
  }));
}

async function readDatabaseSettings(client: pg.Client): Promise<DatabaseSettings> {
  const { rows } = await client.query<{
    name: string;
    owner: string;
    comment: string | null;
    limit: number;
    has_acl: boolean;
  }>(`
    SELECT datname AS name, pg_get_userbyid(datdba) AS owner, shobj_description(oid, 'pg_database') AS comment,
           datconnlimit AS limit, datacl IS NOT NULL AS has_acl
      FROM pg_database WHERE datname = current_database()`);
  const row = rows[0];
  if (!row) throw new Error("the server does not know its own database");
  const settings = await client.query<{ role: string | null; settings: string[] }>(`
    SELECT r.rolname AS role, s.setconfig AS settings
      FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
     WHERE d.datname = current_database() AND (s.setrole = 0 OR r.oid IS NOT NULL) ORDER BY r.rolname NULLS FIRST`);
  const grants = await client.query<{ grantee: string | null; privilege: string; grantable: boolean }>(`
    SELECT CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END AS grantee,
           a.privilege_type AS privilege, a.is_grantable AS grantable
      FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) AS a
     WHERE d.datname = current_database() ORDER BY 1 NULLS FIRST, 2`);
  return {
    name: row.name,
    owner: row.owner,
    comment: row.comment ?? undefined,
    connectionLimit: row.limit,
    settings: settings.rows.map(({ role, settings: list }) => ({ role: role ?? undefined, settings: list })),
    grants: row.has_acl
      ? grants.rows.map((grant) => ({ ...grant, grantee: grant.grantee ?? undefined }))
      : undefined,
  };
}
