import { quoteIdentifier, quoteName } from "../../postgres/quote.ts";

/** What a role cannot read, and why. */
export interface MissingRights {
  readonly role: string;
  readonly serverMajor: number;
  readonly schemas: readonly string[];
  readonly tables: readonly { readonly schema: string; readonly name: string }[];
  readonly sequences: readonly { readonly schema: string; readonly name: string }[];
  /** Tables whose row security hides rows from the role. */
  readonly rowSecurity: readonly { readonly schema: string; readonly name: string }[];
  readonly largeObjects: readonly { readonly owner: string; readonly count: number }[];
}

export const isNothingMissing = (missing: MissingRights): boolean =>
  missing.schemas.length + missing.tables.length + missing.sequences.length === 0 &&
  missing.rowSecurity.length + missing.largeObjects.length === 0;

/** More than this many objects of a schema are granted at once. */
const grantedOneByOne = 5;

/** The statements, each ending with `;`, that give the role what it lacks. Pure. */
function grantStatements(missing: MissingRights): string[] {
  const role = quoteIdentifier(missing.role);
  const statements = missing.schemas.map(
    (schema) => `GRANT USAGE ON SCHEMA ${quoteIdentifier(schema)} TO ${role};`,
  );
  statements.push(...grantSelect(missing.tables, "TABLE", "TABLES", role));
  statements.push(...grantSelect(missing.sequences, "SEQUENCE", "SEQUENCES", role));
  if (missing.rowSecurity.length > 0) statements.push(`ALTER ROLE ${role} BYPASSRLS;`);
  for (const { owner } of missing.largeObjects)
    statements.push(`GRANT ${quoteIdentifier(owner)} TO ${role};`);
  return statements;
}

function grantSelect(
  objects: readonly { readonly schema: string; readonly name: string }[],
  one: string,
  many: string,
  role: string,
): string[] {
  const bySchema = Map.groupBy(objects, (object) => object.schema);
  return [...bySchema].flatMap(([schema, members]) =>
    members.length > grantedOneByOne
      ? [`GRANT SELECT ON ALL ${many} IN SCHEMA ${quoteIdentifier(schema)} TO ${role};`]
      : members.map((member) => `GRANT SELECT ON ${one} ${quoteName(schema, member.name)} TO ${role};`),
  );
}

/** The whole message: what is missing, what to run. Pure. */
export function missingRightsMessage(missing: MissingRights, database: string): string {
  const counted = (count: number, one: string, many: string): string[] =>
    count === 0 ? [] : [`${count} ${count === 1 ? one : many}`];
  const objects = missing.largeObjects.reduce((sum, group) => sum + group.count, 0);
  const what = [
    ...counted(missing.schemas.length, "schema", "schemas"),
    ...counted(missing.tables.length, "table", "tables"),
    ...counted(missing.sequences.length, "sequence", "sequences"),
    ...counted(missing.rowSecurity.length, "table with row security", "tables with row security"),
    ...counted(objects, "large object", "large objects"),
  ].join(", ");
  const plain = missing.schemas.length + missing.tables.length + missing.sequences.length > 0;
  const lines = [
    `Role "${missing.role}" cannot read everything in database "${database}" (${what}), so a backup would be ` +
      "incomplete. Nothing was started. As the owner or a superuser, connected to that database, run:",
    ...grantStatements(missing).map((statement) => `  ${statement}`),
  ];
  if (plain && missing.serverMajor >= 14) {
    lines.push(
      "Instead of the grants on schemas, tables and sequences, this one covers new ones too: " +
        `GRANT pg_read_all_data TO ${quoteIdentifier(missing.role)};`,
    );
  }
  if (objects > 0) {
    lines.push(
      "Large objects are not covered by pg_read_all_data; membership in their owner is what lets a role read them.",
    );
  }
  return lines.join("\n");
}
