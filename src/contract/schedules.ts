import type { ScheduleKey, SkipReason } from "../core/schedule/schedule.ts";
import type { fromSchedule, ScheduleWish } from "../core/schedule/to-schedule.ts";
import type { DefinitionFacts, RemoveOptions, WriteOptions, Written } from "./definitions.ts";
import type { BackupView, Submission } from "./service.ts";

export type { ScheduleKey } from "../core/schedule/schedule.ts";
export type { ScheduleWish } from "../core/schedule/to-schedule.ts";

export interface ScheduleView extends ReturnType<typeof fromSchedule>, DefinitionFacts {
  /** What a spread name (`@daily-random`) stands for here. */
  readonly effectiveCron?: string;
  /** When it is next due, as far as it can be told; absent: never, or while it is suspended or its backup runs. */
  readonly nextAt?: string;
  /** Why it is due and waits. */
  readonly waits?: string;
  /** The newest slot that has an answer. */
  readonly last?: SlotView;
  /** Backups of it that have not ended. */
  readonly open: readonly string[];
}

/** What came of one time of a schedule. */
export interface SlotView {
  readonly projectId: string;
  readonly schedule: string;
  readonly slot: string;
  /** Its time came, or a person asked for it. */
  readonly cause: "due" | "run-now";
  readonly outcome: "ran" | SkipReason;
  readonly message?: string;
  /** Of a slot that ran: its backup, which tells how it went. */
  readonly backupId?: string;
  readonly recordedAt: string;
}

export interface ComingSlotView {
  readonly slot: string;
  /** When its backup may begin; absent: it is passed over, because no backup window opens in time. */
  readonly startsAt?: string;
}

export interface SlotsQuery {
  readonly projectId?: string;
  readonly schedule?: string;
  readonly outcome?: SlotView["outcome"];
  readonly limit: number;
  readonly offset?: number;
}

export interface Schedules {
  /** As `putEnvironment`. Times that passed before it was made, or before its times were changed, are not its own. */
  putSchedule(wish: ScheduleWish, options: WriteOptions): Promise<Written<ScheduleView>>;
  /** By project and name. */
  listSchedules(query: {
    projectId?: string;
    limit: number;
    offset?: number;
  }): Promise<{ readonly schedules: readonly ScheduleView[]; readonly total: number }>;
  getSchedule(key: ScheduleKey): Promise<ScheduleView>;
  /** Its backups stay. */
  deleteSchedule(key: ScheduleKey, options: RemoveOptions): Promise<ScheduleView>;
  /** While it is suspended its slots are recorded as skipped. Idempotent. */
  suspendSchedule(key: ScheduleKey, suspended: boolean): Promise<ScheduleView>;
  /** Asks for a backup of it now, whatever its times, windows and rules for overlap say. */
  runSchedule(key: ScheduleKey, submission: Submission): Promise<BackupView>;
  /** The next `count` slots. Of one with a recovery point objective: the next one. */
  previewSchedule(key: ScheduleKey, count: number): Promise<readonly ComingSlotView[]>;
  /** What came of slots, newest first. */
  listSlots(query: SlotsQuery): Promise<{ readonly slots: readonly SlotView[]; readonly total: number }>;
}
