/** A backup of several archives restored by several sessions: what overlaps, and what becomes of the others on a failure. */
import { describe, expect, test } from "vitest";
import { diffFingerprints, fingerprintDatabase } from "../../demo/fingerprint.ts";
import type { PostgresServer } from "../../demo/postgres-servers.ts";
import { quoteIdentifier as quote } from "../../src/postgres/quote.ts";
import { failureOf } from "../support/backup-run.ts";
import { backUp, type RestoreRun } from "../support/restore-run.ts";
import { wrapPgRestore } from "../support/restore-tools.ts";
import {
  freshDatabase,
  installations,
  majorsAvailable,
  useServer,
  type TestDatabase,
} from "../support/servers.ts";

/** Two tables that are large enough for archives of their own, one of them a partition, with all that needs rows. */
const schema = `
  CREATE FUNCTION folded(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
  CREATE TABLE author (id int PRIMARY KEY, name text UNIQUE);
  INSERT INTO author SELECT i, 'Author ' || i FROM generate_series(1, 100) i;
  CREATE TABLE version (id int PRIMARY KEY, author int NOT NULL REFERENCES author, body text);
  ALTER TABLE version ALTER body SET STORAGE EXTERNAL;
  INSERT INTO version SELECT i, 1 + i % 100, repeat(md5(i::text), 130) FROM generate_series(1, 3000) i;
  CREATE INDEX version_head ON version (folded(left(body, 32)));
  COMMENT ON INDEX version_head IS 'by its beginning';
  CREATE TABLE view (at date, page int, note text, PRIMARY KEY (at, page)) PARTITION BY RANGE (at);
  CREATE TABLE view_1 PARTITION OF view FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
  CREATE TABLE view_2 PARTITION OF view FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
  INSERT INTO view SELECT date '2026-01-01' + i % 150, i, repeat('x', 100) FROM generate_series(1, 70000) i;
  CREATE INDEX view_page ON view (page);
  CREATE TABLE read (version int REFERENCES version (id), at date, page int, FOREIGN KEY (at, page) REFERENCES view);
  INSERT INTO read SELECT i, date '2026-01-01' + i % 150, i FROM generate_series(1, 1000) i;
`;

interface Prepared extends AsyncDisposable {
  readonly server: PostgresServer;
  readonly database: TestDatabase;
  readonly source: RestoreRun;
}

async function prepare(major: number, definitions = schema, streams = 2): Promise<Prepared> {
  const server = await useServer(major);
  const database = await freshDatabase(server);
  await server.psql(
    `SET ROLE ${quote(database.owner.name)}; CREATE SCHEMA cms; SET search_path = cms; ${definitions}`,
    database.name,
  );
  const source = await backUp(database, database.owner, { streams });
  return {
    server,
    database,
    source,
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]();
      for (const name of await databasesOf(database)) {
        await server.psql(`DROP DATABASE IF EXISTS ${quote(name)} WITH (FORCE)`);
      }
    },
  };
}

async function databasesOf({ server, owner }: TestDatabase): Promise<string[]> {
  const rows = await server.query(
    `SELECT datname AS name FROM pg_database WHERE pg_get_userbyid(datdba) = '${owner.name}' ORDER BY 1`,
  );
  return rows.map((row) => String(row["name"]));
}

/** Waits, for two minutes at most, in the first of the programs that load rows. */
const holdFirstLoader = (until: string) => `
  here=$(dirname "$0")
  case "$*" in *--section=data*)
    if mkdir "$here/first" 2>/dev/null; then
      n=0; until ${until}; do n=$((n + 1)); [ $n -lt 1200 ] || exit 9; sleep 0.1; done
    fi;;
  esac`;

const toolsOf = async (major: number): Promise<string> =>
  (await installations()).find((one) => one.major === major)?.clientDirectory ?? "";

describe.each(await majorsAvailable())("PostgreSQL %i", (major) => {
  test("indexes of a table are made while another is still loaded, and nothing differs in the end", async () => {
    await using all = await prepare(major);
    const { server, database, source } = all;
    expect(source.component.archives).toHaveLength(2);
    await using watched = await wrapPgRestore(
      await toolsOf(major),
      `${holdFirstLoader('[ -e "$here/indexed" ]')}
       "$real" "$@" || exit $?
       case "$*" in */indexes-*) [ ! -e "$here/first" ] || : > "$here/indexed";; esac`,
    );
    const before = await fingerprintDatabase(server, database.name);
    const { database: plan } = await source
      .as(database.owner)
      .restore({ url: database.owner.url, jobs: 2, tools: watched.directory });
    expect(plan?.tools.directory).toBe(watched.directory);
    expect(diffFingerprints(before, await fingerprintDatabase(server, database.name))).toEqual([]);
  });
});

test("indexes of a table are made while the next one of the same archive is loaded", async () => {
  const major = Math.max(...(await majorsAvailable()));
  await using all = await prepare(
    major,
    `CREATE TABLE first (id int PRIMARY KEY, body text);
     INSERT INTO first SELECT i, repeat(md5(i::text), 56) FROM generate_series(1, 20000) i;
     CREATE TABLE second (id int PRIMARY KEY, body text);
     INSERT INTO second SELECT i, repeat(md5(i::text), 56) FROM generate_series(1, 20000) i;`,
    1,
  );
  const { server, database, source } = all;
  expect(source.component.archives).toHaveLength(1);
  await using watched = await wrapPgRestore(
    await toolsOf(major),
    `here=$(dirname "$0")
     case "$*" in
       *--section=data*)
         {
           head -c 60000000
           n=0; until [ -e "$here/indexed" ]; do n=$((n + 1)); [ $n -lt 1200 ] || exit 9; sleep 0.1; done
           cat
         } | "$real" "$@"
         exit;;
       */indexes-*) "$real" "$@" && : > "$here/indexed"; exit;;
     esac
     exec "$real" "$@"`,
  );
  const before = await fingerprintDatabase(server, database.name);
  await source.as(database.owner).restore({ url: database.owner.url, jobs: 2, tools: watched.directory });
  expect(diffFingerprints(before, await fingerprintDatabase(server, database.name))).toEqual([]);
});

test("an index that cannot be made stops those that still load, and is what the failure names", async () => {
  const major = Math.max(...(await majorsAvailable()));
  await using all = await prepare(major);
  const { database, source } = all;
  await using broken = await wrapPgRestore(
    await toolsOf(major),
    `${holdFirstLoader("false")}
     case "$*" in */indexes-*) [ ! -e "$here/first" ] || { echo "pg_restore: error: boom" >&2; exit 1; };; esac
     exec "$real" "$@"`,
  );
  const owner = source.as(database.owner);
  const plan = await owner.plan({ url: database.owner.url, jobs: 2, tools: broken.directory });
  const failure = await failureOf(owner.load(plan));
  expect(failure.code).toBe("restore-tool-failed");
  expect(failure.message).toMatch(/Creating indexes.*boom/);
  expect(await databasesOf(database)).toEqual([database.name]);
});
