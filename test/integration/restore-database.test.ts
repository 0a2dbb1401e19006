import { describe, expect, test } from "vitest";
import { createDataset, dropDatasetRoles } from "../../demo/dataset.ts";
import { diffFingerprints, fingerprintDatabase, type Fingerprint } from "../../demo/fingerprint.ts";
import type { RestorePlan } from "../../src/core/restore/restore.ts";
import { backUp } from "../support/restore-run.ts";
import { quoteIdentifier as quote } from "../../src/postgres/quote.ts";
import { freshDatabase, installations, useServer, type TestDatabase } from "../support/servers.ts";

const majors = (await installations()).map((one) => one.major);

/** Traps of real schemas that a plain owner can make. */
const schema = `
  CREATE SCHEMA cms;
  CREATE TABLE cms.article (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text, body text,
                            shout text GENERATED ALWAYS AS (upper(title)) STORED);
  INSERT INTO cms.article (title, body) SELECT 'Title ' || i, repeat(E'text\\n\\t\\\\ ', 50) FROM generate_series(1, 3000) i;
  CREATE TABLE cms.comment (id int PRIMARY KEY, article int NOT NULL REFERENCES cms.article, text text CHECK (text <> ''));
  INSERT INTO cms.comment SELECT i, i, 'c' || i FROM generate_series(1, 1000) i;
  CREATE INDEX comment_article ON cms.comment (article);
  CREATE TABLE hashed (id int, t text) PARTITION BY HASH (id);
  CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
  CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
  INSERT INTO hashed SELECT i, 'x' FROM generate_series(1, 777) i;
  CREATE TABLE "Ünï ""tab""" ("Col 1" int PRIMARY KEY, v text);
  INSERT INTO "Ünï ""tab""" SELECT i, 'v' FROM generate_series(1, 100) i;
  CREATE MATERIALIZED VIEW cms.totals AS SELECT count(*) AS n FROM cms.article;
  CREATE VIEW cms.titles AS SELECT id, title FROM cms.article;
  CREATE SEQUENCE counter; SELECT setval('counter', 41);
  CREATE TABLE locked (id int); INSERT INTO locked VALUES (1), (2);
  REVOKE INSERT, UPDATE, TRUNCATE ON locked FROM current_user;
  ALTER TABLE cms.comment ENABLE ROW LEVEL SECURITY;
  CREATE POLICY short ON cms.comment USING (length(text) < 4);
  CREATE FUNCTION cms.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
  CREATE TRIGGER touch BEFORE UPDATE ON cms.article FOR EACH ROW EXECUTE FUNCTION cms.touch();
  SELECT lo_from_bytea(4000000000 + i, convert_to(repeat('blob', i * 1000), 'UTF8')) FROM generate_series(1, 30) i;
  CREATE PUBLICATION articles FOR TABLE cms.article;
  COMMENT ON TABLE cms.article IS 'it''s an "article"';
`;

async function fill(database: TestDatabase, sql = schema): Promise<void> {
  await database.server.psql(`SET ROLE ${quote(database.owner.name)}; ${sql}`, database.name);
  await database.server.psql(`
    ALTER DATABASE ${quote(database.name)} SET search_path TO cms, public;
    COMMENT ON DATABASE ${quote(database.name)} IS 'The shop''s own';
    REVOKE TEMPORARY ON DATABASE ${quote(database.name)} FROM PUBLIC;`);
}

async function databasesLike(database: TestDatabase): Promise<string[]> {
  const rows = await database.server.query(
    `SELECT datname AS name FROM pg_database WHERE starts_with(datname, '${database.name.slice(0, 12).replaceAll("'", "''")}') ORDER BY 1`,
  );
  return rows.map((row) => String(row["name"]));
}

async function dropAll(database: TestDatabase): Promise<void> {
  for (const name of await databasesLike(database)) {
    await database.server.psql(`DROP DATABASE ${quote(name)} WITH (FORCE)`);
  }
}

const one = async (database: TestDatabase, sql: string, name = database.name): Promise<string> => {
  const [row] = await database.server.query(`SELECT (${sql})::text AS value`, name);
  return String(row?.["value"]);
};

/** The data set has one materialised view that is stale when it is backed up; it comes back refreshed. */
async function differencesFrom(before: Fingerprint, database: TestDatabase, name = database.name) {
  const stale = "materialized view analytics.views_per_page";
  const after = await fingerprintDatabase(database.server, name);
  return diffFingerprints(before, after).filter(({ what }) => what !== stale);
}

/** Before 15 schema public belongs to the first superuser, and a dump repeats its owner and default rights. */
function leftOutOf(plan: RestorePlan): string[] {
  const all = plan.database?.leaveOut.map(({ what }) => what) ?? [];
  return all.filter((what) => !/^(?:acl SCHEMA|schema) public$/.test(what)).toSorted();
}

describe.each(majors)("PostgreSQL %i", (major) => {
  test("an ordinary owner swaps the whole database back, undoes it, and nothing differs either time", async () => {
    const server = await useServer(major);
    await using database = await freshDatabase(server);
    await fill(database);
    await using source = await backUp(database);
    const backedUp = await fingerprintDatabase(server, database.name);
    await server.psql("DROP TABLE cms.comment; TRUNCATE hashed; SELECT lo_unlink(4000000001)", database.name);
    await server.psql(`COMMENT ON DATABASE ${quote(database.name)} IS 'Damaged'`);
    const damaged = await fingerprintDatabase(server, database.name);
    const owner = source.as(database.owner);

    const plan = await owner.restore({ url: database.owner.url });

    expect(plan.database?.into).toBe("swap");
    expect(leftOutOf(plan)).toEqual([]);
    expect(plan.database?.noOwner).toBe(false);
    expect(diffFingerprints(backedUp, await fingerprintDatabase(server, database.name))).toEqual([]);

    // An undo that was killed before its rename: discarding opens the live database and drops nothing.
    await server.psql(`ALTER DATABASE ${quote(database.name)} ALLOW_CONNECTIONS false`, "postgres");
    expect(await owner.discard(plan)).toEqual([]);
    expect(diffFingerprints(backedUp, await fingerprintDatabase(server, database.name))).toEqual([]);

    const undone = await owner.undo(plan);
    expect(undone.database?.swappedBack).toBe(true);
    expect(diffFingerprints(damaged, await fingerprintDatabase(server, database.name))).toEqual([]);
    // Asked again, it says the same and changes nothing.
    expect(await owner.undo(plan)).toEqual(undone);
    expect(diffFingerprints(damaged, await fingerprintDatabase(server, database.name))).toEqual([]);
    await dropAll(database);
  });

  test("the demo's data set comes back equal for its owner, into a new and into an empty database", async () => {
    const server = await useServer(major);
    await using database = await freshDatabase(server);
    const summary = await createDataset(server, database.name, undefined, {
      size: "tiny",
      owner: database.owner,
    });
    await using source = await backUp(database);
    const before = await fingerprintDatabase(server, database.name);
    const owner = source.as(database.owner);

    const plan = await owner.restore({ url: database.owner.url, into: "new" });
    const made = plan.database?.finalName ?? "";
    expect(made).not.toBe(database.name);
    const ofDatabase = (what: string): boolean => what.startsWith("database ");
    const differences = async (name: string) =>
      (await differencesFrom(before, database, name)).filter(({ what }) => !ofDatabase(what));
    expect(await differences(made)).toEqual([]);

    const empty = `${database.name}_empty`;
    await server.psql(`CREATE DATABASE ${quote(empty)} OWNER ${quote(database.owner.name)}`);
    const filled = await owner.restore({ url: server.urlOf(empty, database.owner.name) });
    expect(filled.database?.into).toBe("empty");
    expect(await differences(empty)).toEqual([]);

    const undone = await owner.undo(filled);
    expect(undone.database?.swappedBack).toBe(true);
    expect(await one(database, "SELECT count(*) FROM pg_class WHERE oid >= 16384", empty)).toBe("0");
    await dropAll(database);
    await database.drop();
    await dropDatasetRoles(server, summary);
  });

  test("a superuser restores what only a superuser can create", async () => {
    const server = await useServer(major);
    await using database = await freshDatabase(server);
    const summary = await createDataset(server, database.name, undefined, {
      size: "tiny",
      owner: database.owner,
      superuserObjects: true,
    });
    await using source = await backUp(database, database.superuser);
    const before = await fingerprintDatabase(server, database.name);
    await server.psql("DROP SCHEMA public CASCADE; CREATE SCHEMA public", database.name);

    const plan = await source.as(database.superuser).restore({ url: database.superuser.url });

    expect(plan.database?.leaveOut).toEqual([]);
    expect(await differencesFrom(before, database)).toEqual([]);
    await dropAll(database);
    await database.drop();
    await dropDatasetRoles(server, summary);
  });

  test("what an ordinary role cannot create is left out as the plan says, and the rest is there", async () => {
    const server = await useServer(major);
    await using database = await freshDatabase(server);
    await fill(database);
    await server.psql(
      `CREATE FUNCTION public.seen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
       CREATE EVENT TRIGGER seen_it ON ddl_command_end EXECUTE FUNCTION public.seen();
       COMMENT ON EVENT TRIGGER seen_it IS 'watches';
       CREATE PUBLICATION everything FOR ALL TABLES;`,
      database.name,
    );
    await using source = await backUp(database, database.superuser);
    const owner = source.as(database.owner);

    const plan = await owner.restore({ url: database.owner.url, into: "new" });

    expect(leftOutOf(plan)).toEqual([
      "comment EVENT TRIGGER seen_it",
      "event trigger seen_it",
      "publication everything",
    ]);
    // The function belongs to a role that the owner cannot act as.
    expect(plan.database?.noOwner).toBe(true);
    expect(await one(database, "SELECT count(*) FROM cms.article", plan.database?.finalName)).toBe("3000");
    await server.psql("DROP EVENT TRIGGER seen_it", database.name);
    await dropAll(database);
  });
});
