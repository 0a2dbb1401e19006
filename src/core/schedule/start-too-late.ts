import type { FailureRecord } from "../failure.ts";
import type { Operation } from "../operation/operation.ts";
import type { ScheduledFor } from "./schedule.ts";

/**
 * What waits and was made for a slot: why it does not begin any more, if it does not. What had begun in time and came
 * back to the queue is not late, however long it waits for its next attempt.
 */
export function startTooLate(
  { id, admittedAtMs }: Pick<Operation, "id" | "admittedAtMs">,
  scheduled: ScheduledFor | undefined,
  nowMs: number,
): FailureRecord | undefined {
  const { name, startBeforeMs = Infinity } = scheduled ?? { name: "" };
  if (admittedAtMs !== undefined || nowMs < startBeforeMs) return undefined;
  return {
    code: "window-closed",
    message:
      `${id} of schedule ${name} had to begin before ${new Date(startBeforeMs).toISOString()}, and its turn did not ` +
      "come in time. Give the schedule more time, or the installation more backups at once (LC2_MAX_BACKUPS).",
    retry: "never",
  };
}
