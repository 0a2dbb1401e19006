import type { RestoreSpec } from "../../contract/operations.ts";
import { decideLeaveOut } from "../../core/restore/leave-out.ts";
import { loadingName, sideSchemaName, undoSchemaName } from "../../core/restore/restore-names.ts";
import type { DatabasePlan, PlanNote } from "../../core/restore/restore.ts";
import { showCount } from "../../core/restore/plan-restore.ts";
import {
  chooseTables,
  foreignKeysOf,
  selectEntries,
  type SectionedEntry,
  type TableName,
} from "../../core/restore/select-tables.ts";
import { connect, redactedUrl, resolveConnection, type Connection } from "../../postgres/connection.ts";
import { observeTarget } from "../../databases/postgres/observe-target.ts";
import { listDependents } from "../../databases/postgres/place-tables.ts";
import { quoteName } from "../../postgres/quote.ts";
import { targetRights } from "../../databases/postgres/target.ts";
import {
  chooseForm,
  defaultJobs,
  estimateSeconds,
  catalogBlockers,
  generalBlockers,
  toolsFor,
  type PlannedDatabase,
} from "./plan-database.ts";
import { sectionedEntries, type DatabaseSource } from "./restore-source.ts";
import type { TaskRun } from "../task.ts";

/**
 * Plans the restore of some tables. They are loaded into a scratch database and brought from there into the
 * target: to their own place where there is no such table; else into a schema of the restore, or, with
 * `--into in-place`, into the place of the existing ones, which are kept in an undo schema.
 */
export async function planTables(
  spec: RestoreSpec,
  database: NonNullable<RestoreSpec["database"]>,
  restoreId: string,
  source: DatabaseSource,
  run: TaskRun,
): Promise<PlannedDatabase> {
  const connection = await resolveConnection(database.url, run.env);
  const target = await observeTarget(connection);
  const entries = sectionedEntries(source);
  const chosen = chooseTables(spec.tables, source.inventory.tables, entries);
  const blockers: PlanNote[] = [...catalogBlockers(target), ...generalBlockers(target, source, "new")];
  const tools = await toolsFor(target, source, database.tools, run, blockers);
  const warnings: string[] = tools.note === undefined ? [] : [tools.note];
  blockers.push(...choiceBlockers(chosen));
  if (target.state === "missing") {
    blockers.push({
      code: "database-not-found",
      message: `There is no database "${target.database}" to put tables into. Create it, or restore all of the backup.`,
    });
  }
  if (!target.createDatabase) {
    blockers.push({
      code: "rights-missing-to-restore",
      message: `Tables are loaded into a scratch database first, which role "${target.user}" may not create: ALTER ROLE … CREATEDB.`,
    });
  }
  if (database.into !== undefined && database.into !== "in-place") {
    blockers.push({
      code: "usage",
      message: `Single tables go to their place or into a schema of their own; --into ${database.into} is for whole databases.`,
    });
  }
  const wanted = selectEntries(entries, chosen.tables);
  const decision = decideLeaveOut(
    source.entries.filter((entry) => wanted.has(entry.dumpId)),
    targetRights(target.server, undefined, []),
    { noOwner: database.noOwner },
  );
  blockers.push(...decision.blockers);
  warnings.push(...decision.warnings);

  const replace = database.into === "in-place";
  const existing =
    target.state === "missing" ? [] : await existingTables(connection, chosen.tables, replace, blockers);
  const stage = sideSchemaName(restoreId);
  const tables = chosen.tables.map(({ schema, name }) => {
    const isThere = existing.some((table) => table.schema === schema && table.name === name);
    return { schema, name, landsIn: isThere && !replace ? stage : schema };
  });
  warnings.push(...tableWarnings(source, entries, tables, stage));

  const form = chooseForm(target, source, warnings);
  const plan: DatabasePlan = {
    url: redactedUrl(connection),
    ...(database.password === undefined ? {} : { password: database.password }),
    into: "new",
    target: target.database,
    loadInto: loadingName(target.database, restoreId),
    serverVersion: target.server.serverVersion,
    tools: { directory: tools.directory, version: tools.version },
    jobs: database.jobs ?? defaultJobs(),
    createDatabase: true,
    noOwner: decision.noOwner,
    ...(decision.noTablespaces ? { noTablespaces: true } : {}),
    ...(form === undefined ? {} : { form }),
    createRoles: false,
    endSessions: false,
    leaveOut: decision.leaveOut,
    tables,
    ...(replace && existing.length > 0 ? { undoSchema: undoSchemaName(restoreId) } : {}),
    rows: chosen.rows,
    bytes: source.inventory.tables.reduce(
      (sum, { schema, name, bytes }) =>
        sum +
        (chosen.tables.some((table) => table.schema === schema && table.name === name) ? (bytes ?? 0) : 0),
      0,
    ),
    estimatedSeconds: estimateSeconds(source.component.databaseBytes),
    breaks: [],
  };
  return { plan, blockers, warnings, ...describeSteps(plan, stage) };
}

function choiceBlockers(chosen: ReturnType<typeof chooseTables>): PlanNote[] {
  const blockers: PlanNote[] = chosen.unknown.map((text) => ({
    code: "restore-table-unknown",
    message: `The backup holds no table ${text}. \`lc2 backup browse\` lists its tables, as schema.name.`,
  }));
  const names = chosen.tables.map((table) => table.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    blockers.push({
      code: "usage",
      message: `Two of the tables are called "${twice}", and both come by way of one schema. Restore them one after the other.`,
    });
  }
  return blockers;
}

/** Which of the tables the target has; with replacement, what depends on them stops the plan. */
async function existingTables(
  connection: Connection,
  tables: readonly TableName[],
  replace: boolean,
  blockers: PlanNote[],
): Promise<TableName[]> {
  const client = await connect(connection, { applicationName: "lc2 restore" });
  try {
    const names = tables.map(({ schema, name }) => quoteName(schema, name));
    const { rows } = await client.query<{ name: string }>(
      "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL",
      [names],
    );
    const existing = tables.filter(({ schema, name }) =>
      rows.some((row) => row.name === quoteName(schema, name)),
    );
    const dependents = replace && existing.length > 0 ? await listDependents(client, names) : [];
    if (dependents.length > 0) {
      blockers.push({
        code: "table-in-use",
        message:
          `These would go on pointing to the replaced tables: ${dependents.slice(0, 10).join("; ")}. ` +
          "Restore without --into in-place, into a schema beside, and copy the rows from there.",
      });
    }
    return existing;
  } finally {
    await client.end();
  }
}

function tableWarnings(
  source: DatabaseSource,
  entries: readonly SectionedEntry[],
  tables: NonNullable<DatabasePlan["tables"]>,
  stage: string,
): string[] {
  const warnings: string[] = [];
  const beside = tables.filter((table) => table.landsIn === stage);
  if (beside.length > 0) {
    warnings.push(
      `The target has ${beside.map(({ schema, name }) => `${schema}.${name}`).join(", ")}: what is restored lands beside, ` +
        `in schema ${stage}, without triggers, rules and foreign keys.`,
    );
  }
  const keys = foreignKeysOf(
    entries,
    tables.filter((table) => table.landsIn !== stage),
  );
  if (keys.length > 0) {
    warnings.push(
      `${keys.length} foreign keys of these tables are checked against the target's rows of now.`,
    );
  }
  const pointing = entries.filter(
    (entry) =>
      entry.kind === "FK CONSTRAINT" &&
      !keys.includes(entry) &&
      tables.some(({ schema, name }) => entry.definition.includes(`REFERENCES ${schema}.${name}(`)),
  );
  if (pointing.length > 0) {
    warnings.push(
      `Foreign keys of other tables that pointed to them are not made again: ${pointing
        .map((key) => key.name)
        .slice(0, 5)
        .join("; ")}.`,
    );
  }
  if (source.inventory.largeObjects.count > 0) {
    warnings.push("Large objects that rows of these tables name are not restored with single tables.");
  }
  return warnings;
}

function describeSteps(plan: DatabasePlan, stage: string): Pick<PlannedDatabase, "steps" | "lastSteps"> {
  const tables = plan.tables ?? [];
  const moved = tables.filter((table) => table.landsIn !== stage);
  return {
    steps: [
      `Load ${showCount(plan.rows)} rows of ${tables.length} tables into the scratch database "${plan.loadInto}".`,
      `Bring the tables into schema ${stage} of "${plan.target}" in one transaction, compare their rows, drop the scratch database.`,
    ],
    lastSteps: [
      ...(moved.length === 0 ? [] : [`In one transaction, move ${moved.length} of them into their place.`]),
      ...(plan.undoSchema === undefined
        ? []
        : [`What they replace is kept in schema ${plan.undoSchema}; \`lc2 restore undo\` puts it back.`]),
    ],
  };
}
