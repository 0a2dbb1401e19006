import type { RestoreEntry } from "../../core/restore/restore-entry.ts";
import { orderDrops } from "../../core/restore/order-drops.ts";
import { planSteps } from "../../core/restore/restore-steps.ts";
import { connect } from "../../postgres/connection.ts";
import { applyDatabaseExtras, databaseExtras } from "../../databases/postgres/database-settings.ts";
import { quoteLiteral, quoteName } from "../../postgres/quote.ts";
import { quoteConnectionValue, writeList } from "../../databases/postgres/restore-archive.ts";
import { restoreToolFailure } from "../../databases/postgres/restore-errors.ts";
import {
  feed,
  startTool,
  type RestoreTarget,
  type RunningTool,
} from "../../databases/postgres/restore-tool.ts";
import { insideTransaction } from "../../databases/postgres/script-filter.ts";
import { readServerFacts, targetRights } from "../../databases/postgres/target.ts";
import { countingPlan } from "../../databases/postgres/verify-restore.ts";
import { compare, loadTarget, type Restored, type RestoreJob } from "./restore-job.ts";
import { sectionedEntries } from "./restore-source.ts";
import { readStoredFile } from "../streams/stored-file.ts";

/**
 * Replaces the backup's objects in the running database in one transaction: drops, definitions, rows, indexes
 * and constraints, grants, and a count of every table's rows, all as SQL into one psql session. Any error, and
 * the death of this process, leaves the target as it was: the commit is the last thing the session is told.
 */
export async function restoreInPlace(job: RestoreJob): Promise<Restored> {
  const { plan, source, run } = job;
  const target = loadTarget(job);
  const lists = await chooseLists(job, target);
  const session = startTool(target, "psql", [
    `--dbname=${quoteConnectionValue(plan.target)}`,
    "--no-password",
    "--no-psqlrc",
    "--quiet",
    "--set=ON_ERROR_STOP=1",
    "--file=-",
  ]);
  session.stdout.resume();
  try {
    const tell = (sql: string) => write(session, `${sql}\n`);
    await tell("BEGIN;");
    await tell(await readDrops(target, lists.droppable, source.tocFile));
    for (const statement of unlinkObjects(source.entries)) await tell(statement);
    await pour(job, target, session, [`--use-list=${lists.preData}`, source.tocFile]);
    for (const archive of source.component.archives) {
      const chunks = readStoredFile(source.place, archive, { releasePieces: true });
      await pour(job, target, session, ["--section=data", "--no-privileges"], chunks);
    }
    await pour(job, target, session, [`--use-list=${lists.postData}`, source.tocFile]);
    await pour(job, target, session, [`--use-list=${lists.last}`, source.tocFile]);
    const checks = [...rowChecks(job), ...sequenceChecks(job), ...largeObjectChecks(source.entries)];
    for (const statement of checks) await tell(statement);
    run.signal.throwIfAborted();
    await tell("COMMIT;");
    session.stdin.end();
  } catch (error) {
    // Without COMMIT the server rolls back; the session's own words say more than the broken pipe.
    session.kill();
    const outcome = await session.ended;
    run.signal.throwIfAborted();
    if (error instanceof SessionEnded) throw restoreToolFailure(outcome, "restoring in place", plan.target);
    throw error;
  }
  const outcome = await session.ended;
  if (outcome.exitCode !== 0) throw restoreToolFailure(outcome, "restoring in place", plan.target);
  // All was compared before the commit. From it on the application may write again, which is not a failure.
  const { differences, ...counted } = await compare(job, plan.target);
  const since = differences.map((difference) => `Since the commit, or besides the backup: ${difference}.`);
  return { comparison: { ...counted, differences: [] }, warnings: [...since, ...(await applySettings(job))] };
}

/** psql stopped listening: it met an error. */
class SessionEnded extends Error {}

async function write(session: RunningTool, text: string | Uint8Array): Promise<void> {
  const { stdin } = session;
  const accepted = await new Promise<boolean>((resolve) => {
    if (stdin.destroyed || stdin.errored) resolve(false);
    else stdin.write(text, (error) => resolve(!error));
  });
  if (!accepted) throw new SessionEnded();
}

/** What pg_restore makes of an archive as SQL, into the session; its own input comes from `archive`. */
async function pour(
  job: RestoreJob,
  target: RestoreTarget,
  session: RunningTool,
  parameters: readonly string[],
  archive?: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { plan } = job;
  const writer = startTool(target, "pg_restore", [
    ...(plan.noOwner ? ["--no-owner"] : []),
    ...(plan.noTablespaces === true ? ["--no-tablespaces"] : []),
    "--file=-",
    "--single-transaction",
    ...parameters,
  ]);
  const feeding = archive === undefined ? Promise.resolve(writer.stdin.end()) : feed(writer.stdin, archive);
  feeding.catch(() => writer.kill());
  try {
    const script = insideTransaction(writer.stdout as AsyncIterable<Uint8Array>);
    for await (const chunk of script) await write(session, chunk);
    await feeding;
  } catch (error) {
    writer.kill();
    await writer.ended;
    throw error;
  }
  const outcome = await writer.ended;
  target.signal.throwIfAborted();
  if (outcome.exitCode !== 0) throw restoreToolFailure(outcome, "reading the archive for", plan.target);
}

/** Paths of lists of entries, one for each step. */
interface Lists {
  readonly preData: string;
  readonly postData: string;
  readonly last: string;
  /** What is dropped before: not schemas and extensions, which may hold or serve other things. */
  readonly droppable: string;
}

async function chooseLists(job: RestoreJob, target: RestoreTarget): Promise<Lists> {
  const { plan, source, run } = job;
  const leftOut = new Set(plan.leaveOut.map((item) => item.dumpId));
  const client = await connect(target.connection, { applicationName: "lc2 restore" });
  let schemas: Set<string>;
  try {
    const { rows } = await client.query<{ name: string }>("SELECT nspname AS name FROM pg_namespace");
    schemas = new Set(rows.map((row) => row.name));
  } finally {
    await client.end();
  }
  const there = source.entries.filter((entry) => entry.kind === "SCHEMA" && schemas.has(entry.name));
  const skip = new Set([...leftOut, ...there.map((entry) => entry.dumpId)]);
  const steps = planSteps(sectionedEntries(source), (dumpId) => !skip.has(dumpId));
  const drops = orderDrops(source.entries.filter((entry) => !skip.has(entry.dumpId)));
  const write = (name: string, dumpIds: readonly number[]) => writeList(run.scratchDirectory, name, dumpIds);
  return {
    preData: await write("pre-data", steps.preData),
    postData: await write("post-data", steps.postData),
    last: await write("last", steps.last),
    droppable: await write(
      "droppable",
      drops.map((entry) => entry.dumpId),
    ),
  };
}

/** The statements with which pg_restore --clean begins, up to the first object it makes. */
async function readDrops(target: RestoreTarget, list: string, tocFile: string): Promise<string> {
  const writer = startTool(target, "pg_restore", [
    "--clean",
    "--if-exists",
    "--file=-",
    "--section=pre-data",
    "--section=post-data",
    `--use-list=${list}`,
    tocFile,
  ]);
  writer.stdin.end();
  const chunks: Buffer[] = [];
  for await (const chunk of writer.stdout) chunks.push(chunk as Buffer);
  const outcome = await writer.ended;
  target.signal.throwIfAborted();
  if (outcome.exitCode !== 0)
    throw restoreToolFailure(outcome, "reading the archive for", target.connection.database);
  // A lock that the application holds is waited for at most a minute.
  const text = Buffer.concat(chunks).toString().replace("SET lock_timeout = 0;", "SET lock_timeout = '60s';");
  const firstMade = text.search(/^--\n-- Name: /m);
  if (firstMade < 0) return text;
  // Newer tools open the text with \restrict and close it at its end, which is cut off here.
  const key = /^\\restrict (\S+)$/m.exec(text)?.[1];
  return text.slice(0, firstMade) + (key === undefined ? "" : `\\unrestrict ${key}\n`);
}

/** From 17 on, pg_dump has large objects in groups that it drops only together with its data: oids, a line each. */
function unlinkObjects(entries: readonly RestoreEntry[]): string[] {
  return entries
    .filter((entry) => entry.kind === "BLOB METADATA")
    .map((entry) => `SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE oid IN (${oidsOf(entry)});`);
}

/** Before 17 each large object has its own entry, named by its oid. */
const oidsOf = ({ kind, name, definition }: RestoreEntry): string =>
  kind === "BLOB" ? name : (definition.match(/\d+/g) ?? ["0"]).join(", ");

function largeObjectChecks(entries: readonly RestoreEntry[]): string[] {
  return entries
    .filter((entry) => entry.kind === "BLOB" || entry.kind === "BLOB METADATA")
    .map((entry) => {
      const oids = oidsOf(entry);
      const wanted = oids.split(", ").length;
      const query = `count(*) FROM pg_catalog.pg_largeobject_metadata WHERE oid IN (${oids})`;
      return check(query, String(wanted), `large objects from ${oids.split(", ")[0]} on`);
    });
}

function sequenceChecks(job: RestoreJob): string[] {
  return job.source.inventory.sequences.map(({ schema, name, lastValue, isCalled }) => {
    const query = `last_value || ' ' || is_called FROM ${quoteName(schema, name)}`;
    return check(query, `${lastValue} ${isCalled}`, `sequence ${schema}.${name}`);
  });
}

/** The transaction itself counts what it loaded, so that a difference rolls it back. */
function rowChecks(job: RestoreJob): string[] {
  return countingPlan(job.source.inventory.tables).map(({ schema, name, rows, tree }) =>
    check(
      `count(*) FROM ${tree ? "" : "ONLY "}${quoteName(schema, name)}`,
      String(rows),
      `rows of ${schema}.${name}`,
    ),
  );
}

/** A statement that fails, and so rolls everything back, where a query does not give what the backup holds. */
function check(query: string, wanted: string, what: string): string {
  const message = quoteLiteral(`${what}: the backup holds ${wanted}, restored are `);
  return `DO $lc2_check$ DECLARE found text; BEGIN SELECT ${query} INTO found;
IF found IS DISTINCT FROM ${quoteLiteral(wanted)} THEN
RAISE EXCEPTION USING MESSAGE = ${message} || coalesce(found, 'none'); END IF; END $lc2_check$;`;
}

async function applySettings(job: RestoreJob): Promise<string[]> {
  const client = await connect(job.connection, { applicationName: "lc2 restore" });
  try {
    const extras = databaseExtras(job.source.entries, job.plan.target);
    return await applyDatabaseExtras(client, extras, targetRights(await readServerFacts(client), undefined));
  } finally {
    await client.end();
  }
}
