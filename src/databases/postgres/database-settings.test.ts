import { expect, test } from "vitest";
import type { RestoreEntry } from "../../core/restore/restore-entry.ts";
import { databaseExtras } from "./database-settings.ts";

const entry = (kind: string, name: string, definition: string): RestoreEntry => ({
  dumpId: 1,
  kind,
  name,
  definition,
  schema: "",
  owner: "app",
  dependencies: [],
  tablespace: "",
});

test("settings, grants and comment of the database are carried over to its new name", () => {
  const extras = databaseExtras(
    [
      entry(
        "DATABASE PROPERTIES",
        "shop",
        `ALTER DATABASE shop SET search_path TO 'cms', 'public';
ALTER ROLE "an other" IN DATABASE shop SET work_mem TO '8MB';
ALTER DATABASE shop IS_TEMPLATE = true;
`,
      ),
      entry(
        "ACL",
        "DATABASE shop",
        "REVOKE ALL ON DATABASE shop FROM PUBLIC;\nGRANT CONNECT ON DATABASE shop TO r;\n",
      ),
      entry("COMMENT", "DATABASE shop", "COMMENT ON DATABASE shop IS 'The shop''s own';\n"),
      entry("ACL", "TABLE shop", "GRANT SELECT ON TABLE shop TO r;\n"),
    ],
    'new "name"',
  );
  expect(extras).toEqual({
    statements: [
      `ALTER DATABASE "new ""name""" SET search_path TO 'cms', 'public'`,
      `ALTER ROLE "an other" IN DATABASE "new ""name""" SET work_mem TO '8MB'`,
      `REVOKE ALL ON DATABASE "new ""name""" FROM PUBLIC`,
      `GRANT CONNECT ON DATABASE "new ""name""" TO r`,
    ],
    comment: "The shop's own",
  });
});

test("a database's name that must be quoted is replaced whole", () => {
  const extras = databaseExtras(
    [entry("DATABASE PROPERTIES", "a b", `ALTER DATABASE "a "" b" SET x.y TO 'ALTER DATABASE z';\n`)],
    "n",
  );
  expect(extras.statements).toEqual([`ALTER DATABASE "n" SET x.y TO 'ALTER DATABASE z'`]);
});
