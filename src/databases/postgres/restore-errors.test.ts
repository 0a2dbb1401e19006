import { describe, expect, test } from "vitest";
import { parseRestoreErrors, restoreToolFailure } from "./restore-errors.ts";

const said = `pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 3276; 2606 16482 FK CONSTRAINT orders orders_customer_fkey app
pg_restore: error: could not execute query: ERROR:  insert or update on table "orders" violates foreign key constraint "orders_customer_fkey"
DETAIL:  Key (email)=(anna@example.com) is not present in table "customer".
Command was: ALTER TABLE ONLY public.orders ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (email) REFERENCES customer;

pg_restore: from TOC entry 3428; 0 16476 TABLE DATA public item app
pg_restore: error: COPY failed for table "item": ERROR:  invalid input syntax for type integer: "a secret"
CONTEXT:  COPY item, line 1, column id: "a secret"
pg_restore: warning: errors ignored on restore: 2
`;

test("errors carry their object, and nobody's data", () => {
  const errors = parseRestoreErrors(said);
  expect(errors.map(({ object }) => object)).toEqual([
    "FK CONSTRAINT orders orders_customer_fkey app",
    "TABLE DATA public item app",
  ]);
  expect(JSON.stringify(errors)).not.toMatch(/anna|secret/);
});

test("in parallel, where pg_restore names no entry, the command does, without its options", () => {
  const [error, other] =
    parseRestoreErrors(`pg_restore: error: could not execute query: ERROR:  relation "lookup" does not exist
LINE 1: SELECT name FROM lookup
Command was: CREATE INDEX "Named name" ON cms.named USING btree (cms.name_of(id));
pg_restore: error: could not execute query: ERROR:  server "x" does not exist
Command was: CREATE USER MAPPING FOR app SERVER x OPTIONS (password 'secret');
`);
  expect(error?.object).toBe('CREATE INDEX "Named name" ON cms.named USING btree');
  expect(other?.object).toBe("CREATE USER MAPPING FOR app SERVER x OPTIONS");
});

test("psql's errors are understood too", () => {
  const [error] = parseRestoreErrors('psql:<stdin>:12: ERROR:  relation "t" already exists\nLINE 1: …\n');
  expect(error?.message).toBe('relation "t" already exists');
});

describe("the failure", () => {
  const fail = (stderr: string) => restoreToolFailure({ exitCode: 1, stderr }, "loading rows", "shop");

  test("names the objects and the exit status", () => {
    expect(fail(said).message).toMatch(/"shop" failed \(exit status 1\): FK CONSTRAINT orders/);
  });

  test("counts what it does not name", () => {
    const many = Array.from({ length: 12 }, (_, i) => `pg_restore: error: problem ${i}\n`).join("");
    expect(fail(many).message).toContain("and 7 more");
  });

  test.each([
    ["ERROR:  could not extend file: No space left on device", "target-disk-full"],
    ["pg_restore: error: boom", "restore-tool-failed"],
    ["", "restore-tool-failed"],
  ])("for %j is %s", (stderr, code) => {
    expect(fail(stderr).code).toBe(code);
  });

  test.each([
    ['new row for relation "t" violates check constraint "c"', /CHECK that reads another table/],
    ['relation "lookup" does not exist', /search_path/],
    ["permission denied for schema cms", /owner or a superuser/],
  ])("knows a cause of %s", (message, advice) => {
    expect(fail(`pg_restore: error: ${message}\n`).message).toMatch(advice);
  });

  test("names what keeps an object from being replaced in place", () => {
    const said = [
      "psql:/dev/stdin:7: ERROR:  cannot drop function cms.slug(text) because other objects depend on it",
      "DETAIL:  column slug of table reports.page depends on function cms.slug(text)",
      "HINT:  Use DROP ... CASCADE to drop the dependent objects too.",
    ].join("\n");
    expect(fail(said).message).toContain("column slug of table reports.page uses it. Drop or move that");
  });
});
