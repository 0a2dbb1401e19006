import type pg from "pg";
import { Failure } from "../../core/failure.ts";
import { connect, resolveConnection } from "../../postgres/connection.ts";
import type { HookTry } from "./hook-try.ts";

/** Rows that are kept as output, of each statement. */
const keptRows = 100;

/**
 * Runs statements on the request's database, as the service's role there, each with the try's time as its limit. Keeps
 * what each came to and its first rows. Names are looked for as the role would. Rejects with `hook-failed`.
 */
export async function runSql(sql: string, hookTry: HookTry): Promise<void> {
  const { work, run, output, signal, timeoutSeconds } = hookTry;
  if (work.databaseUrl === undefined)
    throw new Failure("hook-failed", "The request has no database that the SQL could run on.");
  const connection = await resolveConnection(work.databaseUrl, run.env);
  const client = await connect(connection, {
    applicationName: `lc2 hook ${work.hook.name}`,
    statementTimeoutMs: timeoutSeconds * 1000,
  });
  const stop = (): void => void client.end().catch(() => undefined);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await client.query("RESET search_path");
    const answer = await client.query(sql);
    // Several statements have several answers, which the types of the client do not know.
    const answers = (Array.isArray(answer) ? answer : [answer]) as readonly pg.QueryResult<object>[];
    for (const { command, rowCount, rows } of answers) {
      output.add(Buffer.from(`${[command, rowCount].filter((one) => one !== null).join(" ")}\n`));
      for (const row of rows.slice(0, keptRows)) output.add(Buffer.from(`${JSON.stringify(row)}\n`));
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Failure("hook-failed", `The SQL failed: ${reason}.`, { cause });
  } finally {
    signal.removeEventListener("abort", stop);
    await client.end().catch(() => undefined);
  }
}
