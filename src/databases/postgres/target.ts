import type pg from "pg";
import type { ExtensionFacts, TargetRights } from "../../core/restore/leave-out.ts";

/** The server and the connecting role, asked in any database of it. */
export interface ServerFacts {
  /** e.g. "17.10". */
  readonly serverVersion: string;
  readonly serverMajor: number;
  readonly user: string;
  readonly superuser: boolean;
  readonly createDatabase: boolean;
  readonly createRole: boolean;
  readonly roles: ReadonlySet<string>;
  readonly actsAs: ReadonlySet<string>;
  readonly tablespaces: ReadonlySet<string>;
  /** Extensions whose packages are installed, and whether an ordinary role may create them. */
  readonly extensions: ReadonlyMap<string, { readonly trusted: boolean }>;
  readonly standby: boolean;
  /** Locales known to exist, as `pg_collation` and the databases have them, in lower case without hyphens. */
  readonly locales: ReadonlySet<string>;
}

export async function readServerFacts(client: pg.Client): Promise<ServerFacts> {
  const { rows } = await client.query<{
    version: string;
    number: number;
    user: string;
    superuser: boolean;
    createdb: boolean;
    createrole: boolean;
    standby: boolean;
  }>(
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
            current_user AS user, rolsuper AS superuser, rolcreatedb AS createdb, rolcreaterole AS createrole,
            pg_is_in_recovery() AS standby
       FROM pg_roles WHERE rolname = current_user`,
  );
  const row = rows[0];
  if (row === undefined) throw new Error("the current role is not in pg_roles");
  const serverMajor = Math.floor(row.number / 10_000);
  const names = async (sql: string): Promise<Set<string>> => {
    const found = await client.query<{ name: string }>(sql);
    return new Set(found.rows.map((item) => item.name));
  };
  const extensions = await client.query<{ name: string; trusted: boolean }>(
    "SELECT name, bool_or(trusted) AS trusted FROM pg_available_extension_versions GROUP BY name",
  );
  return {
    serverVersion: row.version.split(" ")[0] ?? row.version,
    serverMajor,
    user: row.user,
    superuser: row.superuser,
    createDatabase: row.createdb || row.superuser,
    createRole: row.createrole || row.superuser,
    standby: row.standby,
    roles: await names("SELECT rolname AS name FROM pg_roles"),
    // From 16 on membership alone may lack the right to act as the role.
    actsAs: await names(
      `SELECT rolname AS name FROM pg_roles WHERE pg_has_role(oid, '${serverMajor >= 16 ? "SET" : "MEMBER"}')`,
    ),
    tablespaces: await names(
      "SELECT spcname AS name FROM pg_tablespace WHERE has_tablespace_privilege(oid, 'CREATE') OR spcname = 'pg_default'",
    ),
    extensions: new Map(extensions.rows.map((item) => [item.name, { trusted: item.trusted }])),
    locales: await names(
      `SELECT lower(replace(name, '-', '')) AS name FROM (
         SELECT collcollate AS name FROM pg_collation WHERE collcollate IS NOT NULL
         UNION SELECT datcollate FROM pg_database UNION SELECT datctype FROM pg_database) AS known`,
    ),
  };
}

/** What is in the target database itself. */
export interface DatabaseContents {
  /** Tables, views, sequences, functions, types, schemas, large objects that no extension made. */
  readonly userObjects: number;
  readonly installedExtensions: ReadonlySet<string>;
  readonly sizeBytes: number;
  readonly ownsPublicSchema: boolean;
  readonly mayCreateSchemas: boolean;
  readonly mayCreateInPublic: boolean;
}

export async function readDatabaseContents(client: pg.Client): Promise<DatabaseContents> {
  const { rows } = await client.query<{
    objects: string;
    size: string;
    owns: boolean;
    schemas: boolean;
    inpublic: boolean;
    extensions: string[];
  }>(
    `WITH mine AS (SELECT oid, nspname FROM pg_namespace n WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
                     AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass
                                       AND d.objid = n.oid AND d.deptype = 'e')),
          made AS (
            SELECT 'pg_class'::regclass AS class, c.oid FROM pg_class c JOIN mine ON mine.oid = relnamespace WHERE relkind <> 'i'
            UNION ALL SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN mine ON mine.oid = pronamespace
            UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type t JOIN mine ON mine.oid = typnamespace
                       WHERE typtype IN ('e', 'd', 'r'))
     SELECT (SELECT count(*) FROM made WHERE NOT EXISTS (
               SELECT 1 FROM pg_depend d WHERE d.classid = made.class AND d.objid = made.oid AND d.deptype = 'e'))
          + (SELECT count(*) FROM mine WHERE nspname <> 'public')
          + (SELECT count(*) FROM (SELECT 1 FROM pg_largeobject_metadata LIMIT 1) AS l) AS objects,
            pg_database_size(current_database()) AS size,
            coalesce((SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'public'), false) AS owns,
            has_database_privilege(current_database(), 'CREATE') AS schemas,
            coalesce((SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = 'public'), false) AS inpublic,
            ARRAY(SELECT extname::text FROM pg_extension) AS extensions`,
  );
  const row = rows[0];
  if (row === undefined) throw new Error("no row of a SELECT without FROM");
  return {
    userObjects: Number(row.objects),
    installedExtensions: new Set(row.extensions),
    sizeBytes: Number(row.size),
    ownsPublicSchema: row.owns,
    mayCreateSchemas: row.schemas,
    mayCreateInPublic: row.inpublic,
  };
}

/** The rights that decide what is left out, for a new database (`contents` absent) or an existing one. */
export function targetRights(
  server: ServerFacts,
  contents: DatabaseContents | undefined,
  extraRoles: readonly string[] = [],
): TargetRights {
  const extensions = new Map<string, ExtensionFacts>();
  for (const [name, { trusted }] of server.extensions) {
    const installed = contents === undefined ? name === "plpgsql" : contents.installedExtensions.has(name);
    const mayCreate = trusted && (contents === undefined || contents.mayCreateSchemas);
    extensions.set(name, { trusted: mayCreate, installed });
  }
  return {
    user: server.user,
    superuser: server.superuser,
    serverMajor: server.serverMajor,
    roles: new Set([...server.roles, ...extraRoles]),
    actsAs: server.actsAs,
    tablespaces: server.tablespaces,
    extensions,
    // From 15 on schema public belongs to the database's owner; before, to the cluster's first superuser.
    ownsPublicSchema: contents?.ownsPublicSchema ?? (server.superuser || server.serverMajor >= 15),
  };
}
