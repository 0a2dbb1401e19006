import type { AdmissionLimits } from "../../src/core/admission/admit-operations.ts";
import { placesOf } from "../../src/core/admission/operation-place.ts";
import { nobody, type Operation } from "../../src/core/operation/operation.ts";
import { cronTimesOf } from "../../src/core/schedule/decide-schedules.ts";
import type { Schedule } from "../../src/core/schedule/schedule.ts";
import type { SlotRecord } from "../../src/core/ports/schedule-records.ts";
import { scheduleOf } from "../../src/engine/schedules.ts";
import type { BackupRequest } from "../../src/engine/run-backup.ts";
import type { MemoryCatalog } from "./memory-catalog.ts";

const dayMs = 86_400_000;
const nameOf = ({ projectId, name }: { readonly projectId: string; readonly name: string }): string =>
  `${projectId}/${name}`;
const at = (ms: number): string => new Date(ms).toISOString();

/** Looks at every moment whether more run at once than may, and at every beginning whether it may begin. */
export class CapsWatch {
  readonly violations: string[] = [];
  readonly #limits: AdmissionLimits;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Who had begun in time may begin again later. */
  begin({ id, spec, attempt }: Operation, nowMs: number): void {
    const { startBeforeMs = Infinity } = (spec as BackupRequest).scheduled ?? {};
    if (attempt === 1 && nowMs >= startBeforeMs)
      this.violations.push(`${id} began at ${at(nowMs)}, after its window closed`);
  }

  look({ open }: MemoryCatalog, nowMs: number): void {
    const running = [...open.values()].filter(({ leaseOwner }) => leaseOwner !== nobody);
    const { backups, perProject = Infinity } = this.#limits;
    if (running.length > backups) this.violations.push(`${running.length} backups ran at ${at(nowMs)}`);
    for (const [project, own] of Map.groupBy(running, ({ projectId }) => projectId)) {
      if (own.length > perProject) this.violations.push(`${own.length} of ${project} ran at ${at(nowMs)}`);
    }
    const places = running.flatMap(({ spec }) => placesOf((spec as BackupRequest).spec));
    if (new Set(places).size < places.length) this.violations.push(`two worked on one place at ${at(nowMs)}`);
  }
}

/** What must be true when a year is over and everything has had time to come to its end. */
export function checkYear(
  catalog: MemoryCatalog,
  { calmMs, endMs }: { readonly calmMs: number; readonly endMs: number },
): string[] {
  const slots = catalog.allSlots();
  const bySchedule = Map.groupBy(slots, nameOf);
  return [
    ...catalog.definitions.flatMap((definition) =>
      checkSchedule(scheduleOf(definition), bySchedule.get(nameOf(definition)) ?? [], endMs),
    ),
    ...checkOperations(catalog, slots, calmMs),
  ];
}

function checkSchedule(schedule: Schedule, slots: readonly SlotRecord[], endMs: number): string[] {
  const name = nameOf(schedule);
  const counts = Map.groupBy(slots, ({ slotMs }) => slotMs);
  const doubled = [...counts].filter(([, answers]) => answers.length > 1);
  const violations = doubled.map(([slotMs]) => `${name}: the slot ${at(slotMs)} has several answers`);
  if (schedule.cron === undefined) {
    const isAtWork = slots.some(({ slotMs }) => slotMs > endMs - 4 * dayMs);
    return isAtWork || schedule.suspended ? violations : [...violations, `${name}: nothing runs any more`];
  }
  const times = cronTimesOf(schedule);
  const wanted = new Set<number>();
  for (
    let slot = times.nextAfter(schedule.fromMs);
    slot !== undefined && slot <= endMs;
    slot = times.nextAfter(slot)
  )
    wanted.add(slot);
  // The newest ones may wait for their window.
  const isDue = (slotMs: number): boolean => slotMs < endMs - 2 * dayMs;
  const lost = [...wanted].filter((slotMs) => isDue(slotMs) && !counts.has(slotMs));
  // A clock that was days behind took the schedule for an older one, and answered times from before it was made.
  const isEarlier = (slotMs: number) => slotMs < schedule.fromMs && times.nextAfter(slotMs - 1) === slotMs;
  // A clock that ran ahead has answered some that are still to come.
  const invented = [...counts.keys()].filter(
    (slotMs) => slotMs <= endMs && !wanted.has(slotMs) && !isEarlier(slotMs),
  );
  return [
    ...violations,
    ...lost.map((slotMs) => `${name}: the slot ${at(slotMs)} was lost`),
    ...invented.map((slotMs) => `${name}: ${at(slotMs)} is none of its slots`),
  ];
}

function checkOperations(catalog: MemoryCatalog, slots: readonly SlotRecord[], calmMs: number): string[] {
  const made = Map.groupBy(slots, ({ operationId }) => operationId ?? "");
  const operations = [...catalog.operations.values()];
  const homeless = operations.filter(({ id }) => made.get(id)?.length !== 1);
  const missing = slots.filter(
    ({ outcome, operationId = "" }) => outcome === "ran" && !catalog.operations.has(operationId),
  );
  const starved = [...catalog.open.values()].filter(({ createdAtMs }) => createdAtMs < calmMs + dayMs);
  return [
    ...homeless.map(({ id }) => `${id} is the backup of ${made.get(id)?.length ?? 0} slots`),
    ...missing.map((slot) => `${nameOf(slot)}: the slot ${at(slot.slotMs)} ran without a backup`),
    ...starved.map(({ id, createdAtMs }) => `${id} has waited for its end since ${at(createdAtMs)}`),
  ];
}
