import { nobody, type Operation, type OperationEnd } from "../../src/core/operation/operation.ts";
import type { StoreWait } from "../../src/core/admission/store-wait.ts";
import type { Served } from "../../src/core/admission/admit-operations.ts";
import type { Catalog, NewOperation, QueueObservation } from "../../src/core/ports/catalog.ts";
import type { DefinitionRecord } from "../../src/core/ports/definition-records.ts";
import type { ScheduleRecords, SlotRecord, SlotsToRecord } from "../../src/core/ports/schedule-records.ts";
import type { EndedBackup } from "../../src/core/schedule/rpo-times.ts";
import type { ScheduleKey } from "../../src/core/schedule/schedule.ts";

export type QueueAndSchedules = ScheduleRecords &
  Pick<
    Catalog,
    | "createOperation"
    | "getOperation"
    | "observeQueue"
    | "admit"
    | "returnToQueue"
    | "takeOver"
    | "requestCancel"
    | "finishOperation"
    | "putStoreWait"
    | "removeStoreWait"
    | "appendLog"
    | "listDefinitions"
    | "getDefinition"
  >;

const clocksApartMs = 10 * 60_000;

interface SlotsOfSchedule {
  /** By slot, oldest first. */
  readonly due: SlotRecord[];
  readonly asked: SlotRecord[];
}

/**
 * What the catalog does for the queue and for schedules, in memory: a year takes seconds. It passes what every catalog
 * must do for them (`schedule-records.contract.ts`).
 */
export class MemoryCatalog implements QueueAndSchedules {
  readonly definitions: DefinitionRecord[] = [];
  readonly operations = new Map<string, Operation>();
  /** Not finished. */
  readonly open = new Map<string, Operation>();
  readonly #slots = new Map<string, SlotsOfSchedule>();
  readonly #scheduleOf = new Map<string, string>();
  readonly #openOf = new Map<string, Set<string>>();
  readonly #endedOf = new Map<string, { readonly slotMs: number; readonly backup: EndedBackup }[]>();
  readonly #slotOf = new Map<string, SlotRecord>();
  readonly #served = new Map<string, Served>();
  readonly #storeWaits = new Map<string, StoreWait>();
  #observed: QueueObservation | undefined;

  /** Every answer there is. */
  allSlots(): SlotRecord[] {
    return [...this.#slots.values()].flatMap(({ due, asked }) => [...due, ...asked]);
  }

  async listDefinitions(): ReturnType<Catalog["listDefinitions"]> {
    return await Promise.resolve({ definitions: this.definitions, total: this.definitions.length });
  }
  async getDefinition(): Promise<undefined> {
    return await Promise.resolve(undefined);
  }
  async appendLog(): Promise<void> {
    await Promise.resolve();
  }

  async createOperation(operation: NewOperation): Promise<boolean> {
    return await Promise.resolve(this.#insert(operation));
  }
  #insert(operation: NewOperation): boolean {
    if (this.operations.has(operation.id)) return false;
    this.#write({ ...operation, attempt: 1, cancelRequested: false });
    return true;
  }
  async getOperation(id: string): Promise<Operation | undefined> {
    return await Promise.resolve(this.operations.get(id));
  }

  async observeQueue(): ReturnType<Catalog["observeQueue"]> {
    return await Promise.resolve(this.#observe());
  }
  /** Looked at much more often than it changes. */
  #observe() {
    return (this.#observed ??= this.#observeAnew());
  }
  #observeAnew(): QueueObservation {
    const open = [...this.open.values()].toSorted(
      (a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1),
    );
    const projects = new Set(
      open.filter(({ leaseOwner }) => leaseOwner === nobody).map(({ projectId }) => projectId),
    );
    const served = [...this.#served.values()].filter(({ projectId }) => projects.has(projectId));
    return { open, served, storeWaits: [...this.#storeWaits.values()], knownPlaces: [], projects: [] };
  }

  async admit(...[choose, { nowMs }]: Parameters<Catalog["admit"]>): Promise<readonly Operation[]> {
    const admitted: Operation[] = [];
    for (const { id, owner } of choose(this.#observe())) {
      const waiting = this.open.get(id);
      if (waiting?.leaseOwner !== nobody) continue;
      const operation = { ...waiting, leaseOwner: owner, admittedAtMs: nowMs };
      const { projectId, kind } = operation;
      this.#served.set(`${projectId} ${kind}`, { projectId, kind, atMs: nowMs });
      this.#write(operation);
      admitted.push(operation);
    }
    return await Promise.resolve(admitted);
  }

  async returnToQueue(id: string, owner: string, notBeforeMs?: number): Promise<boolean> {
    const held = this.#heldBy(id, owner);
    if (held === undefined) return await Promise.resolve(false);
    const { notBeforeMs: _, ...operation } = held;
    const later = notBeforeMs === undefined ? {} : { notBeforeMs };
    this.#write({ ...operation, ...later, leaseOwner: nobody, attempt: operation.attempt + 1 });
    return true;
  }
  async takeOver(id: string, from: string, to: string): Promise<boolean> {
    const held = this.#heldBy(id, from);
    if (held !== undefined) this.#write({ ...held, leaseOwner: to });
    return await Promise.resolve(held !== undefined);
  }
  async requestCancel(id: string): Promise<boolean> {
    const operation = this.open.get(id);
    if (operation !== undefined) this.#write({ ...operation, cancelRequested: true });
    return await Promise.resolve(operation !== undefined);
  }
  async finishOperation(id: string, owner: string, end: OperationEnd): Promise<boolean> {
    const held = this.#heldBy(id, owner);
    if (held !== undefined) this.#write({ ...held, end });
    return await Promise.resolve(held !== undefined);
  }
  #heldBy(id: string, owner: string): Operation | undefined {
    const operation = this.open.get(id);
    return operation?.leaseOwner === owner ? operation : undefined;
  }
  #write(operation: Operation): void {
    const { id, end } = operation;
    this.#observed = undefined;
    this.operations.set(id, operation);
    if (end === undefined) return void this.open.set(id, operation);
    this.open.delete(id);
    const schedule = this.#scheduleOf.get(id);
    if (schedule === undefined) return;
    this.#openOf.get(schedule)?.delete(id);
    const { createdAtMs, admittedAtMs } = operation;
    const ended = {
      slotMs: this.#slotOf.get(id)?.slotMs ?? 0,
      backup: {
        createdAtMs,
        begunAtMs: admittedAtMs ?? createdAtMs,
        finishedAtMs: end.finishedAtMs,
        outcome: end.outcome,
      },
    };
    const all = [ended, ...(this.#endedOf.get(schedule) ?? [])];
    this.#endedOf.set(schedule, all.toSorted((a, b) => b.slotMs - a.slotMs).slice(0, 20));
  }

  async putStoreWait(wait: StoreWait): Promise<void> {
    this.#storeWaits.set(wait.store, wait);
    this.#observed = undefined;
    await Promise.resolve();
  }
  async removeStoreWait(store: string): Promise<void> {
    this.#storeWaits.delete(store);
    this.#observed = undefined;
    await Promise.resolve();
  }

  async observeSchedule(key: ScheduleKey, nowMs: number): ReturnType<ScheduleRecords["observeSchedule"]> {
    const accountedUntilMs = this.#accountedUntil(key, nowMs);
    const open = [...(this.#openOf.get(nameOf(key)) ?? [])].flatMap((id) => {
      const operation = this.open.get(id);
      const slot = this.#slotOf.get(id);
      if (operation === undefined || slot === undefined) return [];
      const isWaiting = operation.leaseOwner === nobody;
      return [{ id, slotMs: slot.slotMs, isWaiting, cancelRequested: operation.cancelRequested }];
    });
    const ended = (this.#endedOf.get(nameOf(key)) ?? []).map(({ backup }) => backup);
    const accounted = accountedUntilMs === undefined ? {} : { accountedUntilMs };
    return await Promise.resolve({ ...accounted, open: open.toSorted((a, b) => a.slotMs - b.slotMs), ended });
  }

  async recordSlots(record: SlotsToRecord): Promise<boolean> {
    return await Promise.resolve(this.#record(record));
  }
  #record({ key, cause, accountedUntilMs, nowMs, slots }: SlotsToRecord): boolean {
    if (cause === "due" && this.#accountedUntil(key, nowMs) !== accountedUntilMs) return false;
    const kept = this.#slotsOf(key)[cause === "due" ? "due" : "asked"];
    for (const { slotMs: wantedMs, outcome, message, operation } of slots) {
      let slotMs = wantedMs;
      let at = indexFrom(kept, slotMs);
      if (cause === "run-now") while (kept[at]?.slotMs === slotMs) at = indexFrom(kept, (slotMs += 1));
      const found = kept[at]?.slotMs === slotMs ? kept[at] : undefined;
      if (found !== undefined && stands(found, nowMs)) continue;
      const operationId = operation === undefined ? undefined : this.#insertFirstFree(operation, nameOf(key));
      const slot: SlotRecord = {
        ...key,
        slotMs,
        cause,
        outcome,
        ...(message === undefined ? {} : { message }),
        ...(operationId === undefined ? {} : { operationId }),
        recordedAtMs: nowMs,
      };
      kept.splice(at, found === undefined ? 0 : 1, slot);
      if (operationId !== undefined) this.#slotOf.set(operationId, slot);
    }
    return true;
  }
  #insertFirstFree(operation: (turn: number) => NewOperation, schedule: string): string {
    for (let turn = 0; ; turn += 1) {
      const wanted = operation(turn);
      if (!this.#insert(wanted)) continue;
      this.#scheduleOf.set(wanted.id, schedule);
      const open = this.#openOf.get(schedule) ?? new Set();
      this.#openOf.set(schedule, open.add(wanted.id));
      return wanted.id;
    }
  }
  #slotsOf(key: ScheduleKey): SlotsOfSchedule {
    const known = this.#slots.get(nameOf(key)) ?? { due: [], asked: [] };
    this.#slots.set(nameOf(key), known);
    return known;
  }
  #accountedUntil(key: ScheduleKey, nowMs: number): number | undefined {
    const { due } = this.#slotsOf(key);
    for (let index = indexFrom(due, nowMs + 1) - 1; index >= 0; index -= 1) {
      const slot = due[index];
      if (slot !== undefined && stands(slot, nowMs)) return slot.slotMs;
    }
    return undefined;
  }

  async listSlots(
    query: Parameters<ScheduleRecords["listSlots"]>[0],
  ): ReturnType<ScheduleRecords["listSlots"]> {
    const { projectId, name, outcome, recordedSinceMs = 0, limit, offset = 0 } = query;
    const found = this.allSlots()
      .filter(
        (slot) =>
          (projectId ?? slot.projectId) === slot.projectId &&
          (name ?? slot.name) === slot.name &&
          (outcome ?? slot.outcome) === slot.outcome &&
          slot.recordedAtMs >= recordedSinceMs,
      )
      .toSorted((a, b) => b.slotMs - a.slotMs);
    return await Promise.resolve({ slots: found.slice(offset, offset + limit), total: found.length });
  }
  async findSlots(operationIds: readonly string[]): Promise<readonly SlotRecord[]> {
    return await Promise.resolve(operationIds.flatMap((id) => this.#slotOf.get(id) ?? []));
  }
  async countSlots(): ReturnType<ScheduleRecords["countSlots"]> {
    const groups = Map.groupBy(
      this.allSlots(),
      ({ projectId, name, outcome }) => `${projectId}/${name}/${outcome}`,
    );
    return await Promise.resolve(
      [...groups.values()].flatMap((slots) => {
        const [first] = slots;
        if (first === undefined) return [];
        const { projectId, name, outcome } = first;
        const newestMs = Math.max(...slots.map(({ slotMs }) => slotMs));
        return [{ projectId, name, outcome, count: slots.length, newestMs }];
      }),
    );
  }
}

const nameOf = ({ projectId, name }: ScheduleKey): string => `${projectId}/${name}`;

const stands = ({ operationId, recordedAtMs }: SlotRecord, nowMs: number): boolean =>
  operationId !== undefined || recordedAtMs <= nowMs + clocksApartMs;

/** Where the first one is that is not before the instant. */
function indexFrom(slots: readonly SlotRecord[], ms: number): number {
  let [low, high] = [0, slots.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((slots[middle]?.slotMs ?? 0) < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}
