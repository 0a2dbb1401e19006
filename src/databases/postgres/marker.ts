import type pg from "pg";
import { quoteIdentifier, quoteLiteral } from "../../postgres/quote.ts";

/**
 * What a restore says about a database that it made or swapped, kept as the database's comment: it survives
 * a crash, moves with a rename, and is changed in the same transaction. A person reads the sentence, we
 * read the line after it.
 */
export interface Marker {
  readonly restoreId: string;
  /** loading: being filled. loaded: whole and compared, waiting for its name. retired: swapped out. undone: swapped back out. */
  readonly state: "loading" | "loaded" | "retired" | "undone";
  /** The comment the database had, or is to have. */
  readonly comment?: string;
}

const sentences: Record<Marker["state"], string> = {
  loading: "is being filled by",
  loaded: "is filled and waits to be put in place by",
  retired: "was replaced and is kept by",
  undone: "was put aside by the undo of",
};

function formatMarker(marker: Marker): string {
  return `This database ${sentences[marker.state]} lc2 ${marker.restoreId}.\nlc2-marker ${JSON.stringify(marker)}`;
}

/** The marker in a comment, or undefined where it is an ordinary comment. */
function parseMarker(comment: string | null | undefined): Marker | undefined {
  const text = /\nlc2-marker (\{.*\})$/s.exec(comment ?? "")?.[1];
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Marker;
    return typeof value.restoreId === "string" && typeof value.state === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The SQL that marks a database. Part of any transaction. */
export const markStatement = (database: string, marker: Marker): string =>
  commentStatement(database, formatMarker(marker));

export const commentStatement = (database: string, comment: string | undefined): string =>
  `COMMENT ON DATABASE ${quoteIdentifier(database)} IS ${comment === undefined ? "NULL" : quoteLiteral(comment)}`;

export interface DatabaseState {
  readonly name: string;
  readonly oid: number;
  readonly owner: string;
  readonly allowsConnections: boolean;
  readonly comment?: string;
  readonly marker?: Marker;
}

/** A database as the server's shared catalogs show it, from any session; undefined where there is none. */
export async function readDatabaseState(client: pg.Client, name: string): Promise<DatabaseState | undefined> {
  const { rows } = await client.query<{
    oid: number;
    owner: string;
    allows: boolean;
    comment: string | null;
  }>(
    `SELECT d.oid::int8::float8 AS oid, pg_get_userbyid(d.datdba) AS owner, d.datallowconn AS allows,
            shobj_description(d.oid, 'pg_database') AS comment
       FROM pg_database d WHERE d.datname = $1`,
    [name],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const marker = parseMarker(row.comment);
  return {
    name,
    oid: row.oid,
    owner: row.owner,
    allowsConnections: row.allows,
    ...(row.comment === null ? {} : { comment: row.comment }),
    ...(marker === undefined ? {} : { marker }),
  };
}
