import type { TaskOf } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import { storeName } from "../../core/database/store-name.ts";
import { attemptName, evidenceName } from "../../core/repository/layout.ts";
import type { DatabaseComponent, StoredFile } from "../../core/repository/metadata.ts";
import { connectionAddress, resolveConnection } from "../../postgres/connection.ts";
import { requireWantedRole, unloggedNote } from "../../databases/postgres/probe-source.ts";
import { readInventory } from "../../databases/postgres/read-inventory.ts";
import { readRolesSql } from "../../databases/postgres/read-roles.ts";
import { holdSnapshot, type HeldSnapshot } from "../../databases/postgres/snapshot.ts";
import { findTools } from "../../databases/postgres/tools.ts";
import { openBackupKeys } from "../keys/backup-keys.ts";
import { discard, dumpAll, lockTimeoutOf, type DumpedDatabase } from "./dump-database.ts";
import { writeEvidence } from "./evidence.ts";
import { planArchives } from "./plan-archives.ts";
import { withSharedLease } from "../repository/repository-lease.ts";
import { writeSmallFile, type StoredFilePlace } from "../streams/stored-file.ts";
import { patternNotes } from "./table-pattern-notes.ts";
import type { TaskRun } from "../task.ts";

/**
 * Backs up one PostgreSQL database under one exported snapshot: stock archives, their table of contents,
 * an inventory counted from the archives as they passed, roles and database settings; at last the evidence
 * that the seal task reads (`a{n}/database.evidence.json`).
 *
 * Reports `recovery-point` as soon as the snapshot is held. Anything in doubt is a Failure: then no child,
 * no session and no file of this task is left. Running it again for the same attempt writes all anew.
 */
export async function backupDatabase(
  task: TaskOf<"backup-database">,
  run: TaskRun,
): Promise<DatabaseComponent> {
  // A sweep must not take what is not sealed yet, however long the dump takes.
  return withSharedLease(run, `backing up the database for ${task.backupId}`, (signal) =>
    backUp(task, { ...run, signal }),
  );
}

async function backUp(task: TaskOf<"backup-database">, run: TaskRun): Promise<DatabaseComponent> {
  const source = task.spec.database;
  if (source === undefined) throw new Failure("nothing-to-back-up", "The request names no database.");
  const startedAt = new Date(run.clock.nowMs()).toISOString();
  const connection = await resolveConnection(source.url, run.env);
  const keys = await openBackupKeys(run, task.backupId);
  const place = {
    store: run.store,
    projectId: run.context.projectId,
    backupId: task.backupId,
    key: keys.data,
  };

  await using snapshot = await holdSnapshot(connection, {
    applicationName: `lc2 ${task.backupId}`,
    lockTimeoutMs: lockTimeoutOf(source),
    nowMs: () => run.clock.nowMs(),
    signal: run.signal,
    onBlocked: (message) => run.report({ type: "log", level: "warn", message }),
  });
  requireWantedRole(snapshot.facts, source.fromStandby === true);
  run.report({ type: "recovery-point", at: new Date(snapshot.atMs).toISOString() });
  const [tools, archives] = await Promise.all([
    findTools(snapshot.facts.major, source.tools, run.env),
    planArchives(snapshot, source),
  ]);
  const notes = notesFor(snapshot, tools.note, archives.hits);

  const folder = `${attemptName(task.attempt)}/database`;
  const prefix = `${folder}/${storeName(snapshot.facts.database)}`;
  const dumped = await dumpAll({ run, place, prefix, connection, tools, snapshot, archives, source });
  try {
    const { inventory, roles } = await writeDescriptions(place, folder, prefix, snapshot, dumped);
    const component: DatabaseComponent = {
      engine: "postgresql",
      name: snapshot.facts.database,
      source: {
        systemIdentifier: snapshot.facts.systemIdentifier ?? `unknown@${connectionAddress(connection)}`,
        oid: snapshot.facts.databaseOid,
        address: connectionAddress(connection),
      },
      serverVersion: snapshot.facts.version,
      toolVersion: tools.version,
      recoveryPoint: { at: new Date(snapshot.atMs).toISOString(), lsn: snapshot.lsn },
      startedAt,
      finishedAt: new Date(run.clock.nowMs()).toISOString(),
      archives: dumped.archives,
      toc: dumped.toc,
      inventory,
      roles,
      ...count(dumped),
      databaseBytes: snapshot.facts.sizeBytes,
      excludedTables: source.excludeTables,
      warnings: [...notes, ...dumped.warnings],
    };
    run.signal.throwIfAborted();
    await writeEvidence(run, task.backupId, evidenceName(task.attempt, "database"), component, keys);
    return component;
  } catch (error) {
    await discard(place, dumped.stored);
    throw error;
  }
}

function notesFor(
  snapshot: HeldSnapshot,
  toolNote: string | undefined,
  hits: Parameters<typeof patternNotes>[0],
): string[] {
  const unlogged = unloggedNote(snapshot.facts, snapshot.tables);
  return [toolNote, ...patternNotes(hits), unlogged].filter((note) => note !== undefined);
}

async function writeDescriptions(
  place: StoredFilePlace,
  folder: string,
  prefix: string,
  snapshot: HeldSnapshot,
  dumped: DumpedDatabase,
): Promise<Pick<DatabaseComponent, "inventory" | "roles">> {
  const { client, facts, tables } = snapshot;
  const describe = async (): Promise<[string, string]> => [
    JSON.stringify(await readInventory(client, facts, tables, dumped.excluded, dumped.contents)),
    await readRolesSql(client, facts.major),
  ];
  const [inventory, roles] = await Promise.race([describe(), snapshot.lost]);
  const write = async (name: string, text: string): Promise<StoredFile> => {
    const file = await writeSmallFile(place, name, Buffer.from(text));
    dumped.stored.push(file);
    return file;
  };
  return {
    inventory: await write(`${prefix}.inventory.json`, inventory),
    roles: await write(`${folder}/roles.sql`, roles),
  };
}

function count(dumped: DumpedDatabase): Pick<DatabaseComponent, "tables" | "rows" | "largeObjects"> {
  const tables = [...dumped.contents.tables.values()];
  return {
    tables: tables.length,
    rows: tables.reduce((sum, table) => sum + table.rows, 0),
    largeObjects: dumped.contents.largeObjects.count,
  };
}
