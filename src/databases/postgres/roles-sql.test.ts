import { expect, test } from "vitest";
import { databaseStatements, roleStatements } from "./roles-sql.ts";

test("roles come with attributes, settings and comment, each statement on one line", () => {
  const statements = roleStatements(
    [
      {
        name: 'a"b',
        attributes: { SUPERUSER: false, LOGIN: true },
        connectionLimit: 3,
        validUntil: "infinity",
        settings: ['search_path="$user", "odd, name", public', "app.text=it's\n\\", "search_path="],
        comment: "two\nlines",
      },
    ],
    [
      { group: "g", member: 'a"b', options: {} },
      { group: "h", member: 'a"b', options: { ADMIN: true } },
      { group: "i", member: 'a"b', options: { ADMIN: true, INHERIT: false } },
    ],
  );
  expect(statements).toEqual([
    `CREATE ROLE "a""b" WITH NOSUPERUSER LOGIN CONNECTION LIMIT 3 VALID UNTIL 'infinity';`,
    `ALTER ROLE "a""b" SET "search_path" TO '$user', 'odd, name', 'public';`,
    `ALTER ROLE "a""b" SET "app"."text" TO E'it''s\\n\\\\';`,
    `ALTER ROLE "a""b" SET "search_path" TO '';`,
    `COMMENT ON ROLE "a""b" IS E'two\\nlines';`,
    `GRANT "g" TO "a""b";`,
    `GRANT "h" TO "a""b" WITH ADMIN OPTION;`,
    `GRANT "i" TO "a""b" WITH ADMIN TRUE, INHERIT FALSE;`,
  ]);
});

test("what a database carries itself is under its own name", () => {
  const database = {
    name: "d b",
    owner: "o",
    comment: undefined,
    connectionLimit: 9,
    settings: [
      { role: undefined, settings: ["work_mem=7MB"] },
      { role: "r", settings: ["x.y=1"] },
    ],
    grants: [
      { grantee: undefined, privilege: "TEMPORARY", grantable: false },
      { grantee: "r", privilege: "CONNECT", grantable: true },
    ],
  };
  expect(databaseStatements(database)).toEqual([
    `ALTER DATABASE "d b" OWNER TO "o";`,
    `ALTER DATABASE "d b" CONNECTION LIMIT 9;`,
    `ALTER DATABASE "d b" SET "work_mem" TO '7MB';`,
    `ALTER ROLE "r" IN DATABASE "d b" SET "x"."y" TO '1';`,
    `REVOKE ALL ON DATABASE "d b" FROM PUBLIC;`,
    `GRANT TEMPORARY ON DATABASE "d b" TO PUBLIC;`,
    `GRANT CONNECT ON DATABASE "d b" TO "r" WITH GRANT OPTION;`,
  ]);
  expect(
    databaseStatements({ ...database, settings: [], grants: undefined, connectionLimit: -1 }),
  ).toHaveLength(1);
});
