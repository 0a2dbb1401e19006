import type { HookWork, TaskOf } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import { policyProblems } from "../../core/hooks/hook-policy.ts";
import { defaultHoldSeconds, kindOf, type HookResult } from "../../core/hooks/hook.ts";
import { hookEvidenceName } from "../../core/repository/layout.ts";
import type { HookRecord } from "../../core/repository/metadata.ts";
import { writeEvidence } from "../backup/evidence.ts";
import { openBackupKeys } from "../keys/backup-keys.ts";
import { withSharedLease } from "../repository/repository-lease.ts";
import type { TaskRun } from "../task.ts";
import { performAction } from "./perform-action.ts";
import { storeArtifact } from "./store-artifact.ts";

/**
 * Runs one hook, or what undoes it. Before a backup it leaves evidence and the artifact under its attempt's name;
 * run again for the same attempt it writes both anew. Rejects with a `hook-…` failure.
 */
export async function runHook(task: TaskOf<"run-hook">, run: TaskRun): Promise<HookResult> {
  if (task.undo) return await undo(task, run, run.signal);
  return await perform(task, run);
}

/** Runs one hook and undoes it when it is told to stop, when its time is over, or when nobody holds the task any more. */
export async function holdHook(task: TaskOf<"hold-hook">, run: TaskRun): Promise<HookResult> {
  const result = await perform(task, run);
  run.report({ type: "held" });
  const holdSeconds = task.hook.maximumHold ?? defaultHoldSeconds;
  const isExpired = await waitForRelease(run.signal, holdSeconds * 1000);
  // Whoever stopped the task wants just this: the stop does not end it.
  await undo(task, run, new AbortController().signal);
  if (!isExpired) return result;
  throw new Failure(
    "hook-hold-expired",
    `The hook "${task.hook.name}" held for ${holdSeconds} s, its maximumHold, and was undone before the work was done. ` +
      "Give it a longer one.",
  );
}

/** What is left held is worse than a late answer: it is tried several times. */
const undo = async (work: HookWork, run: TaskRun, signal: AbortSignal): Promise<HookResult> =>
  await performAction(work.hook.undo ?? {}, work, run, signal, Math.max(work.hook.retries ?? 0, undoRetries));
const undoRetries = 3;

async function perform(work: HookWork, run: TaskRun): Promise<HookResult> {
  const [problem] = policyProblems(work.policy, "", work.hook);
  if (problem !== undefined) throw new Failure("hook-not-allowed", problem.message);
  const startedAtMs = run.clock.nowMs();
  const result = await performAction(work.hook, work, run, run.signal);
  if (isBeforeBackup(work)) {
    await withSharedLease(run, `keeping what a hook of ${work.operationId} left`, async (signal) =>
      leaveEvidence(work, { ...run, signal }, startedAtMs),
    );
  }
  return result;
}

const isBeforeBackup = ({ operationId, outcome }: HookWork): boolean =>
  operationId.startsWith("backup-") && outcome === undefined;

async function leaveEvidence(work: HookWork, run: TaskRun, startedAtMs: number): Promise<void> {
  const { hook, operationId, attempt } = work;
  const keys = await openBackupKeys(run, operationId);
  const artifact =
    hook.storeArtifact === true ? await storeArtifact(work, run, startedAtMs, keys) : undefined;
  const record: HookRecord = {
    name: hook.name,
    kind: kindOf(hook),
    startedAt: new Date(startedAtMs).toISOString(),
    finishedAt: new Date(run.clock.nowMs()).toISOString(),
    ...(artifact === undefined ? {} : { artifact }),
  };
  await writeEvidence(run, operationId, hookEvidenceName(attempt, hook.name), record, keys);
}

/** True when the time was over first. */
async function waitForRelease(signal: AbortSignal, milliseconds: number): Promise<boolean> {
  const timeout = AbortSignal.timeout(milliseconds);
  const either = AbortSignal.any([signal, timeout]);
  if (!either.aborted)
    await new Promise((resolve) => either.addEventListener("abort", resolve, { once: true }));
  return !signal.aborted;
}
