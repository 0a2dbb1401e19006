import type { DatabaseSourceSpec } from "../../contract/operations.ts";
import type { PrepareBackupResult } from "../../contract/worker-task.ts";
import { matchTables } from "../../core/database/match-tables.ts";
import { listTables, readServerFacts } from "../../databases/postgres/catalog.ts";
import { connect, resolveConnection } from "../../postgres/connection.ts";
import { requireReadRights } from "../../databases/postgres/probe-rights.ts";
import { describeOmissions, requireWantedRole } from "../../databases/postgres/probe-source.ts";
import { findTools } from "../../databases/postgres/tools.ts";
import { patternNotes } from "./table-pattern-notes.ts";
import type { TaskRun } from "../task.ts";

/**
 * Looks at a database before its backup, and refuses what could not be backed up whole: unreachable,
 * wrong role, unsupported version, missing tools or rights, a standby that nobody asked for. Reads only.
 */
export async function probeDatabase(
  spec: DatabaseSourceSpec,
  run: Pick<TaskRun, "env">,
): Promise<NonNullable<PrepareBackupResult["database"]>> {
  const connection = await resolveConnection(spec.url, run.env);
  const client = await connect(connection, { applicationName: "lc2 probe", statementTimeoutMs: 60_000 });
  try {
    const facts = await readServerFacts(client);
    requireWantedRole(facts, spec.fromStandby === true);
    const tools = await findTools(facts.major, spec.tools, run.env);
    await requireReadRights(client, facts);
    const tables = await listTables(client);
    const { hits } = matchTables(spec.excludeTables, tables);
    return {
      name: facts.database,
      serverVersion: facts.version,
      toolVersion: tools.version,
      sizeBytes: facts.sizeBytes,
      notes: [
        ...(tools.note === undefined ? [] : [tools.note]),
        ...patternNotes(hits),
        ...(await describeOmissions(client, facts, tables)),
      ],
    };
  } finally {
    await client.end();
  }
}
