import { describe, expect, test } from "vitest";
import { decideLeaveOut, grantIsPossible, rolesNamedIn, type TargetRights } from "./leave-out.ts";
import type { RestoreEntry } from "./restore-entry.ts";

const ordinary: TargetRights = {
  user: "app",
  superuser: false,
  serverMajor: 17,
  roles: new Set(["app", "postgres", "reader"]),
  actsAs: new Set(["app"]),
  extensions: new Map([
    ["pg_trgm", { trusted: true, installed: false }],
    ["postgis", { trusted: false, installed: false }],
    ["hstore", { trusted: true, installed: true }],
  ]),
  tablespaces: new Set(["pg_default"]),
  ownsPublicSchema: true,
};
const superuser: TargetRights = { ...ordinary, user: "postgres", superuser: true, actsAs: ordinary.roles };

let nextId = 0;
const entry = (kind: string, name: string, more: Partial<RestoreEntry> = {}): RestoreEntry => ({
  dumpId: ++nextId,
  kind,
  name,
  schema: "",
  owner: "app",
  definition: "",
  dependencies: [],
  tablespace: "",
  ...more,
});

const leftOut = (entries: readonly RestoreEntry[], rights = ordinary): string[] =>
  decideLeaveOut(entries, rights).leaveOut.map(({ what }) => what);

describe("an ordinary role leaves out, and a superuser does not,", () => {
  test.each([
    entry("EVENT TRIGGER", "audit"),
    entry("SUBSCRIPTION", "feed"),
    entry("FOREIGN DATA WRAPPER", "other"),
    entry("PROCEDURAL LANGUAGE", "plperlu"),
    entry("PUBLICATION", "all", {
      definition: "CREATE PUBLICATION \"all\" FOR ALL TABLES WITH (publish = 'insert');",
    }),
    entry("CAST", "CAST (a AS b)", { definition: "CREATE CAST (a AS b) WITHOUT FUNCTION;" }),
    entry("FUNCTION", "fast()", {
      definition: "CREATE FUNCTION fast() RETURNS int LANGUAGE c AS '$libdir/x';",
    }),
    entry("TYPE", "complex", {
      definition: "CREATE TYPE complex (\n    INTERNALLENGTH = 16,\n    INPUT = complex_in\n);",
    }),
    entry("EXTENSION", "postgis"),
    entry("COMMENT", "EXTENSION hstore"),
  ])("$kind $name", (one) => {
    expect(leftOut([one])).toHaveLength(1);
    expect(leftOut([one], superuser)).toEqual([]);
  });
});

describe("an ordinary role creates", () => {
  test.each([
    entry("EXTENSION", "pg_trgm"),
    entry("EXTENSION", "hstore"),
    entry("COMMENT", "EXTENSION pg_trgm"),
    entry("PUBLICATION", "some", { definition: "CREATE PUBLICATION some WITH (publish = 'insert');" }),
    entry("FUNCTION", "f()", { definition: "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$…$$;" }),
    entry("CAST", "CAST (a AS b)", { definition: "CREATE CAST (a AS b) WITH FUNCTION public.b(a);" }),
    entry("SCHEMA", "public", { owner: "pg_database_owner" }),
    entry("DATABASE", "shop", { owner: "postgres" }),
    entry("COMMENT", "DATABASE shop", { owner: "postgres" }),
  ])("$kind $name", (one) => {
    expect(leftOut([one])).toEqual([]);
  });
});

describe("what depends on something left out", () => {
  const wrapper = entry("FOREIGN DATA WRAPPER", "other");
  const server = entry("SERVER", "elsewhere", { dependencies: [wrapper.dumpId] });

  test("goes with it, and the plan says why", () => {
    const decision = decideLeaveOut([wrapper, server], ordinary);
    expect(decision.leaveOut.map(({ why }) => why)).toEqual([
      "only a superuser can create it",
      "it needs foreign data wrapper other",
    ]);
    expect(decision.blockers).toEqual([]);
  });

  test("is a blocker where it is a table: rows are never left out", () => {
    const extension = entry("EXTENSION", "postgis");
    const table = entry("TABLE", "places", { schema: "public", dependencies: [extension.dumpId] });
    const { blockers, leaveOut } = decideLeaveOut([extension, table], ordinary);
    expect(blockers.map(({ code }) => code)).toEqual(["rights-missing-to-restore"]);
    expect(blockers[0]?.message).toContain("table public.places needs extension postgis");
    expect(leaveOut.map(({ what }) => what)).toEqual(["extension postgis"]);
  });

  test("stays where only its comment or its grants are left out", () => {
    const table = entry("TABLE", "t", { schema: "public" });
    const grant = entry("ACL", "TABLE t", {
      schema: "public",
      dependencies: [table.dumpId],
      definition: "GRANT SELECT ON TABLE public.t TO stranger;\n",
    });
    const view = entry("VIEW", "v", { schema: "public", dependencies: [table.dumpId] });
    expect(leftOut([table, grant, view])).toEqual(["acl public.TABLE t"]);
  });
});

test("an extension whose package the target lacks is a blocker, for a superuser too", () => {
  const { blockers } = decideLeaveOut([entry("EXTENSION", "timescaledb")], superuser);
  expect(blockers.map(({ code }) => code)).toEqual(["extension-missing"]);
});

describe("owners", () => {
  const mine = entry("TABLE", "mine", { schema: "public" });
  const theirs = entry("TABLE", "theirs", { schema: "public", owner: "postgres" });

  test("are kept where the role may act as all of them", () => {
    expect(decideLeaveOut([mine], ordinary).noOwner).toBe(false);
    expect(decideLeaveOut([mine, theirs], superuser).noOwner).toBe(false);
  });

  test("are given up, and said so, where it may not", () => {
    const decision = decideLeaveOut([mine, theirs], ordinary);
    expect(decision.noOwner).toBe(true);
    expect(decision.warnings.join()).toContain('"postgres"');
  });

  test("are a blocker where keeping them was asked for", () => {
    const decision = decideLeaveOut([theirs], ordinary, { noOwner: false });
    expect(decision.blockers.map(({ code }) => code)).toEqual(["rights-missing-to-restore"]);
  });

  test("of what is left out do not count, nor that of schema public before 15", () => {
    const before15 = { ...ordinary, serverMajor: 14, ownsPublicSchema: false };
    const entries = [
      mine,
      entry("EVENT TRIGGER", "audit", { owner: "postgres" }),
      entry("SCHEMA", "public", { owner: "postgres" }),
    ];
    const decision = decideLeaveOut(entries, before15);
    expect(decision.noOwner).toBe(false);
    expect(decision.blockers).toEqual([]);
  });
});

test("a tablespace that the target lacks sends everything to the default one, and says so", () => {
  const decision = decideLeaveOut([entry("TABLE", "t", { tablespace: "fast" })], ordinary);
  expect(decision.noTablespaces).toBe(true);
  expect(decision.warnings.join()).toContain("fast");
});

describe("grants", () => {
  test.each([
    ["GRANT SELECT ON TABLE t TO reader", ["reader"]],
    ["REVOKE ALL ON TABLE t FROM PUBLIC", []],
    ['GRANT ALL ON TABLE t TO "We ""ird" WITH GRANT OPTION', ['We "ird']],
    ["ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA s GRANT SELECT ON TABLES TO reader", ["app", "reader"]],
  ])("%s names its roles", (statement, roles) => {
    expect(rolesNamedIn(statement)).toEqual(roles);
  });

  test("are possible where all of their roles exist and nobody else's rights are needed", () => {
    expect(grantIsPossible("GRANT SELECT ON TABLE t TO reader", ordinary)).toBe(true);
    expect(grantIsPossible("GRANT SELECT ON TABLE t TO stranger", ordinary)).toBe(false);
    expect(grantIsPossible("SET SESSION AUTHORIZATION reader", ordinary)).toBe(false);
    expect(grantIsPossible("SET SESSION AUTHORIZATION reader", superuser)).toBe(true);
    const defaults = "ALTER DEFAULT PRIVILEGES FOR ROLE reader GRANT SELECT ON TABLES TO app";
    expect(grantIsPossible(defaults, ordinary)).toBe(false);
  });
});

describe("a policy for a role that is missing", () => {
  const policy = (definition: string): RestoreEntry => entry("POLICY", "t only", { definition });

  test("is left out: less is allowed, never more", () => {
    const named = policy("CREATE POLICY only ON public.t TO reader, stranger USING ((a = 1));");
    expect(leftOut([named])).toEqual(["policy t only"]);
    const forAll = policy("CREATE POLICY only ON public.t USING ((a = 'up TO stranger'::text));");
    expect(leftOut([forAll])).toEqual([]);
  });

  test("is a blocker where it restricts a role that is there", () => {
    const some = policy("CREATE POLICY only ON public.t AS RESTRICTIVE TO reader, stranger USING ((a = 1));");
    expect(decideLeaveOut([some], ordinary).blockers.map(({ code }) => code)).toEqual([
      "rights-missing-to-restore",
    ]);
    const none = policy("CREATE POLICY only ON public.t AS RESTRICTIVE TO stranger USING ((a = 1));");
    expect(decideLeaveOut([none], ordinary).blockers).toEqual([]);
  });
});
