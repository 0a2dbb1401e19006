import type { BackupWish } from "../backup/backup.ts";
import type { BackupWindow } from "./backup-window.ts";

export interface ScheduleKey {
  readonly projectId: string;
  /** Unique in the project. */
  readonly name: string;
}

/** When backups of something are made without anybody asking. */
export interface Schedule extends ScheduleKey, ScheduleTiming {
  /** What is asked for when a slot's turn comes; of an environment its places as they are then. */
  readonly backup: Omit<BackupWish, "projectId">;
  /** Canonical URL; absent: the installation's own. */
  readonly repository?: string;
  /** Slots before this instant are nobody's: the schedule was made, or its times were changed, then. See `startOf`. */
  readonly fromMs: number;
}

/** How far clocks of several machines may be apart. */
export const clocksApartMs = 10 * 60_000;

/** A slot is on time as long as a server saw it this soon: it may have been restarting. */
export const graceMs = 5 * 60_000;

/**
 * The instant before which slots are nobody's. A schedule that was made by a clock which ran ahead was made before now,
 * nobody knows when: its slots are those that are on time.
 */
export const startOf = ({ fromMs }: Pick<Schedule, "fromMs">, nowMs: number): number =>
  fromMs <= nowMs + clocksApartMs ? fromMs : nowMs - graceMs;

/** One of `cron` and `rpoSeconds` is there. */
export interface ScheduleTiming {
  /** Five fields, a nickname (`@daily`), or a spread one (`@daily-random`). */
  readonly cron?: string;
  /** The data of the newest backup is to be no older than this; the times follow from it. */
  readonly rpoSeconds?: number;
  /** Of `cron` and `windows`; an IANA name. */
  readonly timeZone: string;
  /** A backup begins in one of these only. None: at any time. */
  readonly windows: readonly BackupWindow[];
  /** What becomes of a backup that runs when its window closes. */
  readonly windowEnd: "finish" | "stop";
  /** A backup that has not begun this long after its turn came does not begin any more. */
  readonly startWithinSeconds?: number;
  /** After a time without a server: nothing, or one backup for all that was missed. */
  readonly missed: "skip" | "once";
  /** When the backup before has not ended. */
  readonly overlap: "skip" | "queue" | "cancel-previous";
  readonly suspended: boolean;
}

/** What a backup's request keeps of the slot that it was made for. */
export interface ScheduledFor extends StartLimits {
  readonly name: string;
  readonly slotMs: number;
}

export interface StartLimits {
  /** It does not begin at or after this instant. */
  readonly startBeforeMs?: number;
  /** It is cancelled at this instant, if it runs then. */
  readonly stopAtMs?: number;
}

/** Why a slot has no backup. */
export type SkipReason =
  /** The schedule was suspended. */
  | "suspended"
  /** The backup before had not ended. */
  | "overlap"
  /** A later slot was due too: one backup is made for both. */
  | "superseded"
  /** No window was open in time. */
  | "window"
  /** No server was there to see it. */
  | "missed"
  /** What is to be backed up cannot be: the environment is gone, or is refused. */
  | "refused";
