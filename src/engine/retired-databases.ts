import { Failure } from "../core/failure.ts";
import type { RestoreRecord } from "../core/ports/catalog.ts";
import type { RestorePlan } from "../core/restore/restore.ts";
import { makeContext, makeLogLine, type EngineParts } from "./parts.ts";
import { runTaskAlone } from "./run-worker.ts";
import type { UndoRequest } from "./run-undo.ts";

const reminderAfterMs = 24 * 3_600_000;
/** A drop that failed is tried again by whoever comes after this time. */
const dropClaimMs = 10 * 60_000;

/**
 * Looks after databases that a restore swapped out: drops those whose time has come, and reminds once a
 * day of those that nobody has said anything about. Failures are reported, not thrown.
 */
export async function tendRetiredDatabases(parts: EngineParts, signal: AbortSignal): Promise<void> {
  const retired = await parts.catalog.listRetiredDatabases();
  if (retired.length === 0) return;
  const undoing = await listUndoing(parts);
  for (const record of retired) {
    const nowMs = parts.clock.nowMs();
    if (undoing.has(record.restoreId)) continue;
    if (record.dropDueAtMs !== undefined) {
      if (record.dropDueAtMs > nowMs) continue;
      if (await parts.catalog.claimRetired(record.restoreId, nowMs, nowMs + dropClaimMs))
        await drop(parts, record, signal);
    } else if ((record.retiredAtMs ?? nowMs) + reminderAfterMs <= nowMs) {
      if (await parts.catalog.claimRetired(record.restoreId, nowMs, nowMs + reminderAfterMs))
        await remind(parts, record);
    }
  }
}

async function listUndoing(parts: EngineParts): Promise<ReadonlySet<string>> {
  const open = await parts.catalog.listOpenOperations();
  const undos = open.filter(({ operation }) => operation.kind === "undo");
  return new Set(undos.map(({ operation }) => (operation.spec as UndoRequest).restoreId));
}

async function drop(parts: EngineParts, record: RestoreRecord, signal: AbortSignal): Promise<void> {
  const { restoreId } = record;
  const operation = await parts.catalog.getOperation(restoreId);
  if (operation === undefined || record.plan === undefined) return;
  const plan = record.plan as RestorePlan;
  try {
    const context = makeContext(parts, operation);
    await runTaskAlone(
      parts,
      "drop-old-database",
      { kind: "drop-old-database", context, restoreId, plan },
      { signal },
    );
    await parts.catalog.putRestore(restoreId, { droppedAtMs: parts.clock.nowMs() });
    await say(
      parts,
      restoreId,
      "info",
      `The database "${record.retiredDatabase}", swapped out by ${restoreId}, was dropped as asked.`,
    );
  } catch (error) {
    const reason = Failure.from(error).message;
    const message = `The database "${record.retiredDatabase}" of ${restoreId} was due to be dropped and could not be: ${reason}`;
    await say(parts, restoreId, "warn", message);
  }
}

async function remind(parts: EngineParts, record: RestoreRecord): Promise<void> {
  const since = new Date(record.retiredAtMs ?? 0).toISOString();
  const message =
    `The database "${record.retiredDatabase}", swapped out by ${record.restoreId} at ${since}, is still there and takes space. ` +
    `When the restored one is right, drop it; \`lc2 restore undo ${record.restoreId}\` would need it.`;
  await say(parts, record.restoreId, "warn", message);
}

async function say(
  parts: EngineParts,
  restoreId: string,
  level: "info" | "warn",
  message: string,
): Promise<void> {
  const line = makeLogLine(parts, level, message);
  parts.notice(line);
  await parts.catalog.appendLog(restoreId, line);
}
