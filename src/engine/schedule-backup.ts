import { nobody } from "../core/operation/operation.ts";
import type { NewOperation } from "../core/ports/catalog.ts";
import type { Schedule, StartLimits } from "../core/schedule/schedule.ts";
import { slotOperationId } from "../core/schedule/slot-operation.ts";
import type { EngineParts } from "./parts.ts";
import { placeOf, resolveWish, toWish } from "./record-backup.ts";
import { makeOperation } from "./record-operation.ts";

/**
 * The backup of a slot, as it will wait in the queue. What is backed up is read and kept now, so that a change of the
 * schedule or of its environment later does not change it. Rejects when there is nothing that could be backed up.
 */
export async function prepareSlotBackup(
  parts: EngineParts,
  schedule: Schedule,
  slot: { readonly slotMs: number; readonly limits: StartLimits },
): Promise<(turn: number) => NewOperation> {
  const { projectId, backup } = schedule;
  const spec = await resolveWish(parts, { ...backup, projectId });
  const repository = await placeOf(parts, schedule, schedule);
  const scheduled = { name: schedule.name, slotMs: slot.slotMs, ...slot.limits };
  const wish = toWish({ spec, scheduled }, repository);
  return (turn) =>
    makeOperation(parts, wish, {
      operationId: slotOperationId(schedule, slot.slotMs, turn),
      leaseOwner: nobody,
    });
}
