import { Type, type Static } from "typebox";
import type { ScheduleWish } from "../schedules.ts";
import { backupRequest, toBackupWish } from "./backups.ts";
import { definitionFacts } from "./definitions.ts";
import { choice, closed, instant, refer, text, whole, yes } from "./schema.ts";
import { cursor, limit, page, placeOfRepository } from "./shared.ts";

const { repository: _repository, maxRateBytesPerSecond: _rate, ...asked } = backupRequest.properties;
/** What a backup of it would be asked for with. */
const backupOf = Type.Object(asked, { ...closed, description: "What is asked for, as in POST …/backups." });

const outcomes = ["ran", "suspended", "overlap", "superseded", "window", "missed", "refused"] as const;
const name = text("Lower-case letters, digits and hyphens, at most 63.");
const windowForm = { pattern: "^\\d{1,2}:\\d{2}-\\d{1,2}:\\d{2}$" };

const said = {
  backup: backupOf,
  repository: placeOfRepository,
  cron: Type.Optional(
    text("Five fields, or @hourly, @daily, @weekly, @monthly, @daily-random …; or `rpoSeconds`."),
  ),
  rpoSeconds: Type.Optional(whole("The newest backup is to be no older; the times follow from it.")),
};
const windowEnds = ["finish", "stop"] as const;
const missed = ["once", "skip"] as const;
const overlaps = ["skip", "queue", "cancel-previous"] as const;

/** PUT: the path names it. */
export const scheduleChange = Type.Object(
  {
    ...said,
    timeZone: Type.Optional(text("Of `cron` and `windows`, IANA name; default: the project's.")),
    windows: Type.Optional(
      Type.Array(text("01:00-05:00; over midnight where it ends earlier than it begins.", windowForm), {
        maxItems: 50,
      }),
    ),
    windowEnd: Type.Optional(choice(windowEnds, { default: "finish" })),
    startWithinSeconds: Type.Optional(whole("What has not begun so long after its turn does not begin.")),
    missed: Type.Optional(choice(missed, { default: "once" })),
    overlap: Type.Optional(choice(overlaps, { default: "skip" })),
    suspended: Type.Optional(yes("Its slots are recorded as skipped.")),
  },
  closed,
);
export const scheduleRequest = Type.Object({ name, ...scheduleChange.properties }, closed);
/** A file for the command line, where name and project may be said beside it. */
export const scheduleFile = Type.Object(
  {
    ...scheduleChange.properties,
    name: Type.Optional(name),
    projectId: Type.Optional(Type.String()),
    backup: Type.Optional(backupOf),
  },
  closed,
);

export const slot = Type.Object(
  {
    projectId: Type.String(),
    schedule: Type.String(),
    slot: instant("The time it stands for."),
    cause: choice(["due", "run-now"]),
    outcome: choice(outcomes),
    message: Type.Optional(text("Why there is no backup.")),
    backupId: Type.Optional(Type.String()),
    recordedAt: instant("When it was answered."),
  },
  { $id: "ScheduleSlot" },
);
export const schedule = Type.Object(
  {
    projectId: Type.String(),
    name,
    ...said,
    timeZone: Type.String(),
    windows: Type.Array(Type.String()),
    windowEnd: choice(windowEnds),
    startWithinSeconds: Type.Optional(Type.Integer()),
    missed: choice(missed),
    overlap: choice(overlaps),
    suspended: Type.Boolean(),
    ...definitionFacts,
    effectiveCron: Type.Optional(text("What a spread name stands for here.")),
    nextAt: Type.Optional(instant("When it is next due, as far as it can be told.")),
    waits: Type.Optional(text("Why it is due and waits.")),
    last: Type.Optional(refer(slot)),
    open: Type.Array(Type.String(), { description: "Backups of it that have not ended." }),
  },
  { $id: "Schedule" },
);
export const schedulePage = Type.Object(
  { schedules: Type.Array(refer(schedule)), ...page },
  { $id: "SchedulePage" },
);
export const slotListQuery = Type.Object({ outcome: Type.Optional(choice(outcomes)), limit, cursor }, closed);
export const slotPage = Type.Object({ slots: Type.Array(refer(slot)), ...page }, { $id: "ScheduleSlotPage" });
export const previewQuery = Type.Object(
  { count: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 10 })) },
  closed,
);
export const preview = Type.Object(
  {
    slots: Type.Array(
      Type.Object({
        slot: instant("The time it stands for."),
        startsAt: Type.Optional(instant("When its backup may begin; absent: no window opens in time.")),
      }),
    ),
  },
  { $id: "SchedulePreview" },
);

/** What a request means. */
export function toScheduleWish(
  projectId: string,
  scheduleName: string,
  { backup, ...wish }: Static<typeof scheduleChange>,
): ScheduleWish {
  const { projectId: _, ...asked } = toBackupWish(projectId, backup);
  return { ...wish, backup: asked, projectId, name: scheduleName };
}
