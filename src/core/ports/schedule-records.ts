import type { EndedBackup } from "../schedule/rpo-times.ts";
import type { OpenBackup } from "../schedule/decide-schedules.ts";
import type { ScheduleKey, SkipReason } from "../schedule/schedule.ts";
import type { NewOperation } from "./catalog.ts";

/**
 * What came of each time of a schedule. A slot has one answer, for ever: the one exception is an answer without a
 * backup that was written by a clock which ran ahead (its `recordedAtMs` has not come yet), which a new one replaces.
 * Methods are atomic, and reject as the catalog's do.
 */
export interface ScheduleRecords {
  /** What a decision about the schedule needs to know. */
  observeSchedule(key: ScheduleKey, nowMs: number): Promise<ScheduleFacts>;
  /**
   * Answers slots of a schedule, and puts the backup of the one that is run into the queue, in one step. False, and
   * nothing is done, when others have answered slots of it since `accountedUntilMs` was seen.
   */
  recordSlots(record: SlotsToRecord): Promise<boolean>;
  /** Newest first. */
  listSlots(query: SlotQuery): Promise<{ readonly slots: readonly SlotRecord[]; readonly total: number }>;
  /** The slots that these operations were made for. */
  findSlots(operationIds: readonly string[]): Promise<readonly SlotRecord[]>;
  /** All there are of each schedule, by outcome. */
  countSlots(): Promise<readonly SlotCount[]>;
}

export interface ScheduleFacts {
  /** The newest slot up to now that has an answer; backups that a person asked for do not count. */
  readonly accountedUntilMs?: number;
  readonly open: readonly OpenBackup[];
  readonly ended: readonly EndedBackup[];
}

/** `run-now`: a person asked for it, at `slotMs`. */
export type SlotCause = "due" | "run-now";

export interface SlotRecord extends ScheduleKey {
  readonly slotMs: number;
  readonly cause: SlotCause;
  readonly outcome: "ran" | SkipReason;
  /** Why there is no backup. */
  readonly message?: string;
  readonly operationId?: string;
  readonly recordedAtMs: number;
}

export interface SlotsToRecord {
  readonly key: ScheduleKey;
  readonly cause: SlotCause;
  /** As it was seen; not looked at for `run-now`. */
  readonly accountedUntilMs: number | undefined;
  readonly nowMs: number;
  readonly slots: readonly {
    readonly slotMs: number;
    readonly outcome: SlotRecord["outcome"];
    readonly message?: string;
    /**
     * Of a slot that is run: what waits in the queue for it, under the first of these ids that is free. Another
     * operation has one only by chance.
     */
    readonly operation?: (turn: number) => NewOperation;
  }[];
}

export interface SlotQuery {
  readonly projectId?: string;
  readonly name?: string;
  readonly outcome?: SlotRecord["outcome"];
  /** Of `recordedAtMs`. */
  readonly recordedSinceMs?: number;
  readonly limit: number;
  readonly offset?: number;
}

export interface SlotCount extends ScheduleKey {
  readonly outcome: SlotRecord["outcome"];
  readonly count: number;
  readonly newestMs: number;
}
