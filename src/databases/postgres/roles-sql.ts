import { quoteIdentifier, quoteLiteral } from "../../postgres/quote.ts";

export interface RoleFacts {
  readonly name: string;
  /** `LOGIN: false` becomes NOLOGIN. */
  readonly attributes: Readonly<Record<string, boolean>>;
  /** -1: none. */
  readonly connectionLimit: number;
  readonly validUntil: string | undefined;
  /** `name=value`, as the catalog has them. */
  readonly settings: readonly string[];
  readonly comment: string | undefined;
}

export interface Membership {
  readonly group: string;
  readonly member: string;
  /** What differs from a plain GRANT. */
  readonly options: Readonly<Record<string, boolean>>;
}

export interface DatabaseSettings {
  readonly name: string;
  readonly owner: string;
  readonly comment: string | undefined;
  readonly connectionLimit: number;
  /** `role` absent: for everybody. */
  readonly settings: readonly { readonly role: string | undefined; readonly settings: readonly string[] }[];
  /** Absent where the rights are the default ones. `grantee` absent: PUBLIC. */
  readonly grants:
    | readonly {
        readonly grantee: string | undefined;
        readonly privilege: string;
        readonly grantable: boolean;
      }[]
    | undefined;
}

/** One statement a line, so that nothing needs an SQL parser to tell them apart. */
const literal = (text: string): string => {
  const quoted = quoteLiteral(text).trim();
  if (!/[\n\r]/.test(quoted)) return quoted;
  const escaped = quoted.replaceAll("\n", "\\n").replaceAll("\r", "\\r");
  return escaped.startsWith("E") ? escaped : `E${escaped}`;
};

/** CREATE ROLE, its settings and comment, then who is in which group. No passwords. Pure. */
export function roleStatements(roles: readonly RoleFacts[], memberships: readonly Membership[]): string[] {
  return [...roles.flatMap(oneRole), ...memberships.map(grantMembership)];
}

function oneRole(role: RoleFacts): string[] {
  const name = quoteIdentifier(role.name);
  const attributes = Object.entries(role.attributes).map(([attribute, has]) =>
    has ? attribute : `NO${attribute}`,
  );
  if (role.connectionLimit !== -1) attributes.push(`CONNECTION LIMIT ${role.connectionLimit}`);
  if (role.validUntil !== undefined) attributes.push(`VALID UNTIL ${literal(role.validUntil)}`);
  return [
    `CREATE ROLE ${name} WITH ${attributes.join(" ")};`,
    ...role.settings.map((setting) => `ALTER ROLE ${name} SET ${assignment(setting)};`),
    ...(role.comment === undefined ? [] : [`COMMENT ON ROLE ${name} IS ${literal(role.comment)};`]),
  ];
}

function grantMembership({ group, member, options }: Membership): string {
  const names = Object.entries(options);
  const plain = names.every(([option, value]) => option === "ADMIN" && value);
  const listed = names.map(([option, value]) => `${option} ${value ? "TRUE" : "FALSE"}`).join(", ");
  const suffix = names.length === 0 ? "" : plain ? " WITH ADMIN OPTION" : ` WITH ${listed}`;
  return `GRANT ${quoteIdentifier(group)} TO ${quoteIdentifier(member)}${suffix};`;
}

/** What the database itself carries, under its own name. Pure. */
export function databaseStatements(database: DatabaseSettings): string[] {
  const name = quoteIdentifier(database.name);
  const settings = database.settings.flatMap(({ role, settings: list }) => {
    const target =
      role === undefined
        ? `ALTER DATABASE ${name}`
        : `ALTER ROLE ${quoteIdentifier(role)} IN DATABASE ${name}`;
    return list.map((setting) => `${target} SET ${assignment(setting)};`);
  });
  const grants =
    database.grants === undefined
      ? []
      : [
          `REVOKE ALL ON DATABASE ${name} FROM PUBLIC;`,
          ...database.grants.map(({ grantee, privilege, grantable }) => {
            const to = grantee === undefined ? "PUBLIC" : quoteIdentifier(grantee);
            return `GRANT ${privilege} ON DATABASE ${name} TO ${to}${grantable ? " WITH GRANT OPTION" : ""};`;
          }),
        ];
  return [
    `ALTER DATABASE ${name} OWNER TO ${quoteIdentifier(database.owner)};`,
    ...(database.connectionLimit === -1
      ? []
      : [`ALTER DATABASE ${name} CONNECTION LIMIT ${database.connectionLimit};`]),
    ...settings,
    ...grants,
    ...(database.comment === undefined
      ? []
      : [`COMMENT ON DATABASE ${name} IS ${literal(database.comment)};`]),
  ];
}

/** Settings that are lists of names: each is a literal of its own, as pg_dump has it. */
const nameLists = new Set([
  "local_preload_libraries",
  "search_path",
  "session_preload_libraries",
  "shared_preload_libraries",
  "temp_tablespaces",
  "unix_socket_directories",
]);

function assignment(setting: string): string {
  const equals = setting.indexOf("=");
  const name = setting.slice(0, equals);
  const value = setting.slice(equals + 1);
  // Names of extensions' settings have a dot in the middle.
  const quotedName = name.split(".").map(quoteIdentifier).join(".");
  const quotedValue = nameLists.has(name.toLowerCase()) ? nameList(value) : literal(value);
  return `${quotedName} TO ${quotedValue}`;
}

function nameList(value: string): string {
  const names = [...value.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^",\s]+))\s*(?:,|$)/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "",
  );
  return names.length === 0 ? "''" : names.map(literal).join(", ");
}
