import type { Operation, OperationTask } from "../operation/operation.ts";
import type { SlotRecord } from "../ports/schedule-records.ts";
import type { ScheduledFor } from "../schedule/schedule.ts";
import type { NotificationEvent } from "./notification.ts";

/** Something that people may want to hear of. The same thing has the same id, whoever finds it and how often. */
export interface Happening {
  readonly id: string;
  readonly event: NotificationEvent | "test";
  readonly projectId: string;
  readonly at: string;
  /** One line. */
  readonly title: string;
  /** What happened, why, and what to do next. */
  readonly text: string;
  /** Facts for programs. */
  readonly facts: Readonly<Record<string, string | number>>;
}

type Finished = Operation & { readonly end: NonNullable<Operation["end"]> };

export const isFinished = (operation: Operation): operation is Finished => operation.end !== undefined;

/**
 * What the end of an operation is worth telling; undefined when nothing. `before`: the outcome of the last one of the
 * same things that ended before it, cancelled ones and those that missed their window left out. `scheduled`: the slot
 * that it was made for.
 */
export function happeningOf(
  operation: Finished,
  before: "Completed" | "Failed" | undefined,
  scheduled?: ScheduledFor,
): Happening | undefined {
  const { outcome } = operation.end;
  if (scheduled !== undefined && hasMissedItsWindow(operation)) return tellTooLate(operation, scheduled);
  if (outcome === "Failed") return tellFailed(operation);
  if (outcome === "Completed" && before === "Failed") return tellRecovered(operation);
  return undefined;
}

/** Its window closed, or its time was over, before it had begun: it has not failed, it was never tried. */
export const hasMissedItsWindow = ({ admittedAtMs, end }: Operation): boolean =>
  admittedAtMs === undefined && end?.failure?.code === "window-closed";

function tellTooLate({ id, projectId, end }: Finished, { name, slotMs }: ScheduledFor): Happening {
  const message = end.failure?.message ?? "";
  return {
    ...tellMissed({ projectId, name, slotMs, outcome: "window", message }, end.finishedAtMs),
    // A time that a person asked for may be the same as one of the schedule's own.
    id: `missed/${id}`,
  };
}

/** What there is to tell of a task that moves no byte. */
export function stalledOf(
  { id, kind, projectId, requestId }: Operation,
  { attempt, name, progress }: OperationTask,
): Happening | undefined {
  const { stalledSince: since } = (progress ?? {}) as { readonly stalledSince?: string };
  if (since === undefined) return undefined;
  const what = `the ${kind} ${id} of project ${projectId}`;
  return {
    id: `stalled/${id}/${attempt}/${name}/${since}`,
    event: "stalled",
    projectId,
    at: since,
    title: `T${what.slice(1)} stands still`,
    text:
      `Its ${name} task moves no byte since ${since}. A backup or a copy is ended and tried again when that lasts; a ` +
      "restore may be at the index of a large table, and is cancelled by a person where it is not.",
    facts: { operationId: id, kind, requestId, task: name, attempt, stalledSince: since },
  };
}

function tellFailed(operation: Finished): Happening {
  const { id, kind, projectId, end } = operation;
  const { code, message } = end.failure ?? { code: "internal", message: "Nobody said why." };
  const verb = kind === "restore" || kind === "backup" ? `\`lc2 ${kind} describe ${id}\`` : `\`lc2 doctor\``;
  return {
    id: `failed/${id}`,
    event: "failed",
    projectId,
    at: new Date(end.finishedAtMs).toISOString(),
    title: `The ${kind} ${id} of project ${projectId} failed`,
    text: `${message} (${code}) ${verb} says more.`,
    facts: { ...factsOf(operation), code },
  };
}

function tellRecovered(operation: Finished): Happening {
  const { id, kind, projectId, end } = operation;
  return {
    id: `recovered/${id}`,
    event: "recovered",
    projectId,
    at: new Date(end.finishedAtMs).toISOString(),
    title: `The ${kind} ${id} of project ${projectId} succeeded, after one that failed`,
    text: `What failed before works again: ${id} is complete.`,
    facts: factsOf(operation),
  };
}

const factsOf = ({ id, kind, application, requestId, createdAtMs, end }: Finished) => ({
  operationId: id,
  kind,
  ...(application === undefined ? {} : { application }),
  requestId,
  outcome: end.outcome,
  createdAt: new Date(createdAtMs).toISOString(),
  finishedAt: new Date(end.finishedAtMs).toISOString(),
});

/** Outcomes of a schedule's time that somebody has to look at; the others follow from what was asked for. */
export const missedOutcomes = [
  "missed",
  "window",
  "refused",
] as const satisfies readonly SlotRecord["outcome"][];
const whyMissed = {
  missed: "No server was running.",
  window: "No window was open in time.",
  refused: "What is to be backed up cannot be.",
} as const;

/** What there is to tell of a time of a schedule that passed without a backup; undefined where there is nothing. */
export function missedOf(slot: SlotRecord): Happening | undefined {
  const outcome = missedOutcomes.find((one) => one === slot.outcome);
  return outcome === undefined ? undefined : tellMissed({ ...slot, outcome }, slot.recordedAtMs);
}

interface Missed extends Pick<SlotRecord, "projectId" | "name" | "slotMs" | "message"> {
  readonly outcome: (typeof missedOutcomes)[number];
}

function tellMissed({ projectId, name, slotMs, outcome, message }: Missed, atMs: number): Happening {
  const slot = new Date(slotMs).toISOString();
  return {
    id: `missed/${projectId}/${name}/${slotMs}`,
    event: "missed",
    projectId,
    at: new Date(atMs).toISOString(),
    title: `The schedule ${name} of project ${projectId} made no backup at ${slot}`,
    text: `${message ?? whyMissed[outcome]} \`lc2 schedule history ${name} --project ${projectId}\` shows all its times.`,
    facts: { schedule: name, slot, outcome },
  };
}

/** What a project, or the whole installation, did in a day. */
export interface DayCounts {
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Bytes that its backups added. */
  readonly storedBytes: number;
}

/** The summary of the day that ended on `date` (local). `projectId`: empty for the installation. */
export function summaryOf(projectId: string, date: string, nowMs: number, counts: DayCounts): Happening {
  const { completed, failed, cancelled, storedBytes } = counts;
  const whose = projectId === "" ? "all projects" : `project ${projectId}`;
  const word = failed === 0 ? (completed === 0 ? "nothing was done" : "all is well") : `${failed} failed`;
  return {
    id: `summary/${projectId}/${date}`,
    event: "summary",
    projectId,
    at: new Date(nowMs).toISOString(),
    title: `Backups of ${whose} on ${date}: ${word}`,
    text:
      `In the last 24 hours: ${completed} completed, ${failed} failed, ${cancelled} cancelled; ` +
      `${storedBytes} bytes were stored.`,
    facts: { date, completed, failed, cancelled, storedBytes },
  };
}
