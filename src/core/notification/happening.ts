import type { Operation } from "../operation/operation.ts";
import type { SlotRecord } from "../ports/schedule-records.ts";
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
 * same things that ended before it, cancelled ones left out.
 */
export function happeningOf(
  operation: Finished,
  before: "Completed" | "Failed" | undefined,
): Happening | undefined {
  const { outcome } = operation.end;
  if (outcome === "Failed") return tellFailed(operation);
  if (outcome === "Completed" && before === "Failed") return tellRecovered(operation);
  return undefined;
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
export function missedOf({
  projectId,
  name,
  slotMs,
  outcome,
  message,
  recordedAtMs,
}: SlotRecord): Happening | undefined {
  const missed = missedOutcomes.find((one) => one === outcome);
  if (missed === undefined) return undefined;
  const slot = new Date(slotMs).toISOString();
  return {
    id: `missed/${projectId}/${name}/${slotMs}`,
    event: "missed",
    projectId,
    at: new Date(recordedAtMs).toISOString(),
    title: `The schedule ${name} of project ${projectId} made no backup at ${slot}`,
    text: `${message ?? whyMissed[missed]} \`lc2 schedule history ${name} --project ${projectId}\` shows all its times.`,
    facts: { schedule: name, slot, outcome: missed },
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
