/**
 * A CMS-like data set: a database with every kind of object a dump can hold, and a folder of documents
 * beside it. The same seed and size give the same content on the same machine.
 */
import type pg from "pg";
import { createProseWriter } from "./prose.ts";
import {
  finishingSql,
  optionalExtensions,
  superuserSql,
  tablesSql,
  type SchemaNames,
} from "./dataset-schema.ts";
import {
  poolTable,
  rowStatements,
  sessionSql,
  staleViewSql,
  trickySql,
  type RowCounts,
} from "./dataset-rows.ts";
import { fillFolder, type FileCounts, type FolderSummary } from "./dataset-files.ts";
import { openClient, type PostgresServer } from "./postgres-servers.ts";

/** `tiny` for tests (a few MB), `demo` (a few hundred MB), `bench` (1 GB of rows as `pg_dump` writes them). */
export type DatasetSize = "tiny" | "demo" | "bench";

export interface DatasetOptions {
  readonly size: DatasetSize;
  readonly seed?: number;
  /** Ordinary role that creates everything and so owns it; absent: the superuser. */
  readonly owner?: { readonly name: string; readonly password: string };
  /** Also make what only a superuser can: event trigger, foreign server, a table of another owner. Default false. */
  readonly superuserObjects?: boolean;
  /** Leave a materialised view that differs from its query, which no dump keeps so. Default true. */
  readonly staleView?: boolean;
  /** File names that are not UTF-8, hold newlines, are 255 bytes long. Default true. */
  readonly oddNames?: boolean;
}

export interface DatasetSummary {
  /** Absent when no folder was asked for. */
  readonly files?: FolderSummary;
  readonly databaseBytes: number;
  readonly tables: number;
  /** Extensions of the optional ones that the server has. */
  readonly extensions: readonly string[];
  /** Roles made for this database alone; `dropDatasetRoles` removes them. */
  readonly roles: readonly string[];
}

const rowsOf: Record<DatasetSize, RowCounts> = {
  tiny: {
    paragraphs: 200,
    articles: 40,
    versionsPerArticle: 3,
    paragraphsPerArticle: 6,
    documents: 300,
    pageViews: 6_000,
    sessions: 1_000,
    events: 6_000,
    attachments: 6,
    attachmentKib: 40,
    largeObjects: 6,
    largeObjectKib: 40,
  },
  demo: {
    paragraphs: 11_000,
    articles: 2_200,
    versionsPerArticle: 7,
    paragraphsPerArticle: 8,
    documents: 30_000,
    pageViews: 700_000,
    sessions: 40_000,
    events: 500_000,
    attachments: 24,
    attachmentKib: 256,
    largeObjects: 40,
    largeObjectKib: 384,
  },
  bench: {
    paragraphs: 40_000,
    articles: 10_000,
    versionsPerArticle: 8,
    paragraphsPerArticle: 9,
    documents: 120_000,
    pageViews: 3_000_000,
    sessions: 100_000,
    events: 2_500_000,
    attachments: 24,
    attachmentKib: 512,
    largeObjects: 60,
    largeObjectKib: 700,
  },
};

const filesOf: Record<DatasetSize, FileCounts> = {
  tiny: { documents: 60, generatedPerDocument: 2, largeFiles: 2, largeFileKib: 1_200 },
  demo: { documents: 2_400, generatedPerDocument: 1, largeFiles: 3, largeFileKib: 12_000 },
  bench: { documents: 50_000, generatedPerDocument: 0, largeFiles: 4, largeFileKib: 64_000 },
};

/**
 * Fills an empty database and, where a folder is given, that folder. The database must exist and belong to
 * `options.owner`. Not idempotent: a second call fails on what the first made.
 */
export async function createDataset(
  server: PostgresServer,
  database: string,
  folder: string | undefined,
  options: DatasetOptions,
): Promise<DatasetSummary> {
  const seed = options.seed ?? 1;
  const names: SchemaNames = {
    database,
    major: server.installation.major,
    editor: `${database.slice(0, 40)}_editor`,
    reader: `${database.slice(0, 40)} Leser:in "R"`,
  };
  const roles = [names.editor, names.reader];
  await server.psql(roles.map((role) => `CREATE ROLE "${role.replaceAll('"', '""')}";`).join("\n"));
  const extensions = await fillDatabase(server, database, names, seed, options);
  const files =
    folder === undefined
      ? undefined
      : await fillFolder(folder, filesOf[options.size], { seed, oddNames: options.oddNames ?? true });
  const [facts] = await server.query(
    `SELECT pg_database_size(current_database())::float8 AS bytes,
            (SELECT count(*)::int FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)') AS tables`,
    database,
  );
  return {
    ...(files === undefined ? {} : { files }),
    databaseBytes: Number(facts?.["bytes"]),
    tables: Number(facts?.["tables"]),
    extensions,
    roles,
  };
}

/** Removes what `createDataset` made outside its database; the database must be gone. */
export async function dropDatasetRoles(server: PostgresServer, summary: DatasetSummary): Promise<void> {
  await server.psql(
    summary.roles.map((role) => `DROP ROLE IF EXISTS "${role.replaceAll('"', '""')}";`).join("\n"),
  );
}

async function fillDatabase(
  server: PostgresServer,
  database: string,
  names: SchemaNames,
  seed: number,
  options: DatasetOptions,
): Promise<readonly string[]> {
  const counts = rowsOf[options.size];
  const connect = async () => {
    const { name, password } = options.owner ?? { name: server.superuser, password: server.password };
    const client = await openClient(server.urlOf(database, name), password);
    await client.query(sessionSql(seed));
    return client;
  };
  const first = await connect();
  try {
    const extensions = await createExtensions(first);
    await first.query(tablesSql(names));
    await loadProse(first, seed, counts.paragraphs);
    const lanes = rowStatements(counts);
    const clients = [first, ...(await Promise.all(lanes.slice(1).map(connect)))];
    try {
      await Promise.all(lanes.map((statements, lane) => runInOrder(clients[lane] ?? first, statements)));
    } finally {
      await Promise.all(clients.slice(1).map((client) => client.end()));
    }
    await first.query(`DROP TABLE ${poolTable}`);
    await first.query(trickySql(names.major));
    for (const statement of statementsForExtensions(extensions)) await first.query(statement);
    await first.query(finishingSql(names));
    if (options.superuserObjects === true) await server.psql(superuserSql(names), database);
    if (options.staleView !== false) await first.query(staleViewSql);
    await first.query("ANALYZE");
    return extensions;
  } finally {
    await first.end();
  }
}

async function runInOrder(client: pg.Client, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await client.query(statement);
}

async function createExtensions(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT name FROM pg_available_extensions WHERE name = ANY ($1) ORDER BY name",
    [optionalExtensions],
  );
  for (const { name } of rows) await client.query(`CREATE EXTENSION ${name}`);
  return rows.map((row) => row.name);
}

/** Columns and indexes that need an extension. */
function statementsForExtensions(extensions: readonly string[]): string[] {
  const statements: Record<string, string> = {
    hstore: `CREATE TABLE cms.setting (name text PRIMARY KEY, options hstore);
      INSERT INTO cms.setting VALUES ('theme', 'colour=>"blue, green", "quo\\"te"=>NULL'), ('none', NULL);`,
    pg_trgm: `CREATE INDEX "Find by part" ON cms.author USING gin (name gin_trgm_ops);`,
    lo: `CREATE TABLE cms.photo (id integer PRIMARY KEY, image lo);
      CREATE TRIGGER unlink_image BEFORE UPDATE OR DELETE ON cms.photo FOR EACH ROW EXECUTE FUNCTION lo_manage(image);
      INSERT INTO cms.photo VALUES (1, lo_from_bytea(49000, 'a photo'));`,
    btree_gist: `ALTER TABLE cms.booking ADD CONSTRAINT one_room_at_a_time EXCLUDE USING gist (room WITH =, during WITH &&);`,
    citext: `CREATE TABLE cms.tag (name citext PRIMARY KEY); INSERT INTO cms.tag VALUES ('News'), ('Größe');`,
  };
  return extensions.flatMap((name) => statements[name] ?? []);
}

async function loadProse(client: pg.Client, seed: number, paragraphs: number): Promise<void> {
  const writer = createProseWriter(seed);
  await client.query(`CREATE UNLOGGED TABLE ${poolTable} (id bigint, body text)`);
  for (let from = 0; from < paragraphs; from += 1_000) {
    const texts = Array.from({ length: Math.min(1_000, paragraphs - from) }, () => writer.paragraph(500));
    await client.query(
      `INSERT INTO ${poolTable} SELECT $1::bigint + n - 1, body FROM unnest($2::text[]) WITH ORDINALITY AS t (body, n)`,
      [from, texts],
    );
  }
  await client.query(`ALTER TABLE ${poolTable} ADD PRIMARY KEY (id); ANALYZE ${poolTable}`);
}
