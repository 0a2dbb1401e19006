import type { FailureRecord } from "../failure.ts";
import {
  hookFailure,
  isHookRunning,
  releaseHolds,
  runAfter,
  runBefore,
  type HooksObservation,
  type HookStep,
} from "../hooks/decide-hooks.ts";
import type { Decision } from "../operation/advance.ts";
import {
  decideByLook,
  endOf,
  failureOf,
  pauseOf,
  type AttemptObservation,
  type EndWords,
} from "../operation/attempts.ts";
import { decideRetry } from "../operation/decide-retry.ts";
import type { Outcome, TaskFacts } from "../operation/operation.ts";

/** What exists of a backup. Its tasks: `prepare`, `database`, `files`, `seal`, `look`, and those of hooks. */
export interface BackupObservation extends AttemptObservation, HooksObservation {
  readonly backupId: string;
  readonly wantsDatabase: boolean;
  readonly wantsFiles: boolean;
  /** It will not end as interrupted but begin again. */
  readonly beginsAgain: boolean;
  /** The database task holds its snapshot. */
  readonly recoveryPointKnown: boolean;
  /** Its backup window closes at this instant, and it is to end with it. */
  readonly stopAtMs?: number;
  /** What `look` found: metadata.json is there. */
  readonly sealed?: boolean;
}

export type BackupTaskName = "prepare" | "database" | "files" | "seal" | "look";
export type BackupAction =
  | { readonly do: "start"; readonly task: BackupTaskName }
  | HookStep
  /** Ends every running task; idempotent. */
  | { readonly do: "stop" };

/**
 * What to do next for a backup. Hooks: those before run when it is prepared, what they hold is let go as soon as all
 * is read and before any end, those after run when the end is known.
 */
export function decideBackup(seen: BackupObservation): Decision<BackupAction> {
  const decision = decideWork(seen);
  switch (decision.type) {
    case "act":
    case "wait":
      return decision;
    case "retry":
      return releaseHolds(seen) ?? decision;
    case "complete":
    case "cancel":
    case "fail":
      return (
        releaseHolds(seen) ??
        (seen.beginsAgain ? undefined : runAfter(seen, outcomes[decision.type])) ??
        decision
      );
  }
}

const outcomes = { complete: "Completed", cancel: "Cancelled", fail: "Failed" } as const satisfies Record<
  string,
  Outcome
>;

/**
 * Whether a backup exists is decided by metadata.json alone. So when the seal task ended without a word
 * (or in the middle of being stopped), nothing is concluded: a look at the repository decides.
 */
function decideWork(seen: BackupObservation): Decision<BackupAction> {
  if (isWindowClosed(seen)) return decideNow({ ...seen, cancelRequested: true });
  const decision = decideNow(seen);
  if (decision.type !== "wait" || seen.stopAtMs === undefined) return decision;
  return { type: "wait", untilMs: Math.min(seen.stopAtMs, decision.untilMs ?? seen.stopAtMs) };
}

const isWindowClosed = ({ cancelRequested, budget, stopAtMs = Infinity }: BackupObservation): boolean =>
  !cancelRequested && budget.nowMs >= stopAtMs;

function decideNow(seen: BackupObservation): Decision<BackupAction> {
  const { seal } = seen.tasks;
  if (seal?.state === "done") return { type: "complete" };
  if (seal?.state === "running") return { type: "wait" };
  if (seal !== undefined) return decideAfterBrokenSeal(seen, seal);
  return seen.cancelRequested || seen.ownerDied || firstFailure(seen) !== undefined
    ? decideEnd(seen)
    : decideProgress(seen);
}

function decideProgress(seen: BackupObservation): Decision<BackupAction> {
  const { prepare } = seen.tasks;
  if (prepare === undefined) return pauseOf(seen) ?? start("prepare");
  if (prepare.state !== "done") return { type: "wait" };
  return runBefore(seen) ?? decideComponents(seen);
}

function decideComponents(seen: BackupObservation): Decision<BackupAction> {
  const { database, files } = seen.tasks;
  if (seen.wantsDatabase && database === undefined) return start("database");
  const isDatabaseDone = !seen.wantsDatabase || database?.state === "done";
  // The file listing starts after the database's instant, so that no file the database names is missed.
  const mayList = isDatabaseDone || seen.recoveryPointKnown;
  if (seen.wantsFiles && files === undefined) return mayList ? start("files") : { type: "wait" };
  const areFilesDone = !seen.wantsFiles || files?.state === "done";
  if (!isDatabaseDone || !areFilesDone) return { type: "wait" };
  return releaseHolds(seen) ?? start("seal");
}

/** Something ended the attempt: first everything stops, then the reason decides how it ends. */
function decideEnd(seen: BackupObservation): Decision<BackupAction> {
  if (componentTasks(seen).some((task) => task.state === "running") || isHookRunning(seen))
    return { type: "act", action: { do: "stop" } };
  const words = wordsOf(seen);
  return endOf(seen, words) ?? decideRetry(firstFailure(seen) ?? words.interrupted, seen.budget);
}

const decideAfterBrokenSeal = (seen: BackupObservation, seal: TaskFacts): Decision<BackupAction> =>
  decideByLook(seen, {
    ...wordsOf(seen),
    isThere: seen.sealed,
    failure: failureOf(seal, "the seal task"),
    unknown: (look) => sealUnknown(seen.backupId, look),
  });

const start = (task: BackupTaskName): Decision<BackupAction> => ({
  type: "act",
  action: { do: "start", task },
});

function componentTasks(seen: BackupObservation): TaskFacts[] {
  const { prepare, database, files } = seen.tasks;
  return [prepare, database, files].filter((task) => task !== undefined);
}

/**
 * The failure that names the cause: one a worker stated, before one that only says it died; that it was stopped says a
 * task only because another one had failed.
 */
function firstFailure(seen: BackupObservation): FailureRecord | undefined {
  const { prepare, database, files } = seen.tasks;
  const broken = Object.entries({ prepare, database, files }).flatMap(([name, task]) =>
    task === undefined || task.state === "running" || task.state === "done"
      ? []
      : [failureOf(task, `the ${name} task`)],
  );
  const causes = broken.filter(({ code }) => code !== "cancelled");
  return (
    causes.find(({ code }) => code !== "worker-died") ?? hookFailure(seen, "before") ?? causes[0] ?? broken[0]
  );
}

const wordsOf = ({ backupId, budget, stopAtMs = Infinity }: BackupObservation): EndWords => ({
  cancelled:
    budget.nowMs < stopAtMs
      ? {
          code: "cancelled",
          message: `${backupId} was cancelled. Nothing of it can be seen; run the command again when it is wanted.`,
          retry: "never",
        }
      : {
          code: "window-closed",
          message:
            `${backupId} had not ended when its backup window closed at ${new Date(stopAtMs).toISOString()}, so it ` +
            "was stopped. Give it a longer window, or let it finish (--window-end finish).",
          retry: "never",
        },
  interrupted: {
    code: "interrupted",
    message:
      `The process that ran ${backupId} died before it was done. ` +
      "Run the command again: stored bytes that are whole are used again.",
    retry: "never",
  },
});

const sealUnknown = (backupId: string, look: TaskFacts): FailureRecord => ({
  code: look.failure?.code ?? "worker-died",
  message:
    `It is not known whether ${backupId} was sealed, because the repository could not be read: ` +
    `${look.failure?.message ?? "the worker that looked died."} ` +
    "`lc2 repository scan` will list the backup if it is there.",
  retry: "never",
});
