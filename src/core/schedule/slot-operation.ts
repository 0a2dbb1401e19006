import { makeOperationId } from "../repository/layout.ts";
import { hash } from "./spread.ts";

/**
 * The id of the backup of a slot: the same wherever and whenever it is made. `turn` counts from 0: a later one is for
 * the case that another schedule's backup of the same second has the id.
 */
export function slotOperationId(
  schedule: { readonly projectId: string; readonly name: string },
  slotMs: number,
  turn: number,
): string {
  const digest = hash(`${schedule.projectId}/${schedule.name}/${slotMs}/${turn}`);
  return makeOperationId("backup", slotMs, digest.toString(16).padStart(8, "0"));
}
