import type pg from "pg";
import { Failure } from "../../core/failure.ts";
import type { DatabaseInventory } from "../../core/repository/metadata.ts";
import { markStatement, readDatabaseState } from "./marker.ts";
import { quoteIdentifier, quoteLiteral } from "../../postgres/quote.ts";

export interface DatabaseForm {
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  readonly localeProvider?: string;
  readonly icuLocale?: string;
}

/** Encoding and locale of the backed-up database. */
export const formOf = (database: DatabaseInventory["database"]): DatabaseForm => ({
  encoding: database.encoding,
  collate: database.collate,
  ctype: database.ctype,
  ...(database.localeProvider === undefined ? {} : { localeProvider: database.localeProvider }),
  ...(database.icuLocale === undefined ? {} : { icuLocale: database.icuLocale }),
});

/**
 * Makes an empty database for this restore, marked as its own. What an earlier, dead try of the same
 * restore left under this name is dropped first; anybody else's database is never touched
 * (`target-occupied`). `admin` is a session in another database. Gives the new database's oid: a worker that was
 * given up for dead must not touch what its successor made under the same name.
 */
export async function createLoadingDatabase(
  admin: pg.Client,
  name: string,
  restoreId: string,
  form: DatabaseForm,
): Promise<number> {
  await dropOwnDatabase(admin, name, restoreId, { states: ["loading", "loaded"] });
  const { rows } = await admin.query<{ version: number }>(
    "SELECT current_setting('server_version_num')::int AS version",
  );
  const major = Math.floor((rows[0]?.version ?? 0) / 10_000);
  try {
    await admin.query(
      `CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE template0 ${formClauses(form, major)}`,
    );
  } catch (error) {
    throw createFailure(error, name, form);
  }
  await admin.query(markStatement(name, { restoreId, state: "loading" }));
  const made = await readDatabaseState(admin, name);
  if (made === undefined) throw lostDatabase(name);
  return made.oid;
}

const lostDatabase = (name: string): Failure =>
  new Failure(
    "restore-state-unknown",
    `The database "${name}" that this restore made is gone or was made anew by somebody else. Restore again.`,
  );

/** Rejects with `restore-state-unknown` when the database is not the one with this oid any more. */
export async function requireSameDatabase(admin: pg.Client, name: string, oid: number): Promise<void> {
  if ((await readDatabaseState(admin, name))?.oid !== oid) throw lostDatabase(name);
}

function formClauses(form: DatabaseForm, major: number): string {
  const clauses = [
    `ENCODING ${quoteLiteral(form.encoding)}`,
    `LC_COLLATE ${quoteLiteral(form.collate)}`,
    `LC_CTYPE ${quoteLiteral(form.ctype)}`,
  ];
  const providers: Record<string, string> = { c: "libc", i: "icu", b: "builtin" };
  const provider = providers[form.localeProvider ?? ""];
  if (major >= 15 && provider !== undefined) clauses.push(`LOCALE_PROVIDER ${provider}`);
  if (form.icuLocale !== undefined && provider === "icu")
    clauses.push(`ICU_LOCALE ${quoteLiteral(form.icuLocale)}`);
  if (form.icuLocale !== undefined && provider === "builtin") {
    clauses.push(`BUILTIN_LOCALE ${quoteLiteral(form.icuLocale)}`);
  }
  return clauses.join(" ");
}

function createFailure(error: unknown, name: string, form: DatabaseForm): Failure {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "42501") {
    return new Failure(
      "rights-missing-to-restore",
      `This role may not create the database "${name}" (${message}). Grant it: ALTER ROLE … CREATEDB; ` +
        "or restore with --into empty or --into in-place.",
      { cause: error },
    );
  }
  if (code === "53100") {
    return new Failure("target-disk-full", `The target server has no space for the database "${name}".`, {
      cause: error,
    });
  }
  return new Failure(
    "restore-target-failed",
    `The database "${name}" (encoding ${form.encoding}, locale ${form.collate}) cannot be created: ${message}.`,
    { cause: error },
  );
}

/**
 * Drops a database only if it carries this restore's marker in one of `states` (and has the given oid); true when
 * it did. Ends the
 * sessions of this role in it. Rejects with `target-occupied` when the name belongs to something else.
 */
export async function dropOwnDatabase(
  admin: pg.Client,
  name: string,
  restoreId: string,
  only: { readonly states: readonly string[]; readonly oid?: number },
): Promise<boolean> {
  const state = await readDatabaseState(admin, name);
  if (state === undefined || (only.oid !== undefined && state.oid !== only.oid)) return false;
  const unmarked = state.marker === undefined && state.comment === undefined && (await isFresh(admin, name));
  if (!unmarked && (state.marker?.restoreId !== restoreId || !only.states.includes(state.marker.state))) {
    throw new Failure(
      "target-occupied",
      `There is a database "${name}" that this restore did not make (or has put in place since). ` +
        "Nothing was changed. Rename or drop it if it is not needed.",
    );
  }
  await admin
    .query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = $1 AND pid <> pg_backend_pid() AND pg_has_role(usesysid, 'MEMBER')`,
      [name],
    )
    .catch(() => {});
  await dropWhenFree(admin, name);
  return true;
}

/** Between CREATE DATABASE and its marker: the name is derived from the restore, and nobody has been in it. */
async function isFresh(admin: pg.Client, name: string): Promise<boolean> {
  const { rows } = await admin
    .query<{ fresh: boolean }>(
      `SELECT d.datdba = (SELECT oid FROM pg_roles WHERE rolname = current_user)
            AND pg_database_size(d.oid) <= (SELECT pg_database_size(oid) + 1048576 FROM pg_database WHERE datname = 'template0')
            AS fresh
       FROM pg_database d WHERE datname = $1`,
      [name],
    )
    .catch(() => ({ rows: [{ fresh: false }] }));
  return rows[0]?.fresh ?? false;
}

async function dropWhenFree(admin: pg.Client, name: string): Promise<void> {
  // Unlike WITH (FORCE), a plain DROP waits up to 5 s for sessions that are ending by themselves.
  try {
    await admin.query(`DROP DATABASE IF EXISTS ${quoteIdentifier(name)}`);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Failure("restore-target-failed", `The database "${name}" cannot be dropped: ${message}.`, {
      cause: error,
    });
  }
}
