import type { FailureRecord } from "../failure.ts";
import type { Outcome } from "./operation.ts";

/**
 * One kind of operation, as four steps: observe → decide → act → record.
 *
 * - `observe` only reads,
 * - `decide` is pure: the same observation gives the same decision, so a crash between two steps changes
 *   nothing,
 * - `act` makes one idempotent call and records it; called again with the same action it does nothing new,
 * - `finish` records the end, once: it may find that another process has recorded one already.
 */
export interface Steps<Observation, Action> {
  observe(): Promise<Observation>;
  decide(observation: Observation): Decision<Action>;
  act(action: Action): Promise<void>;
  finish(end: { readonly outcome: Outcome; readonly failure?: FailureRecord }): Promise<void>;
}

export type Decision<Action> =
  | { readonly type: "act"; readonly action: Action }
  /** Nothing to do until something changes, or until this instant. */
  | { readonly type: "wait"; readonly untilMs?: number }
  /** The attempt failed for a reason that may pass; a new one starts after `afterMs`. */
  | { readonly type: "retry"; readonly afterMs: number; readonly failure: FailureRecord }
  | { readonly type: "complete" }
  | { readonly type: "cancel"; readonly failure: FailureRecord }
  | { readonly type: "fail"; readonly failure: FailureRecord };

/** The four ways in which an advance ends. Nothing else. */
export type Advance =
  | { readonly type: "done" }
  | { readonly type: "wait"; readonly untilMs?: number }
  | { readonly type: "retry"; readonly afterMs: number; readonly failure: FailureRecord }
  | { readonly type: "failed"; readonly failure: FailureRecord };

/**
 * Takes an operation as far as it goes now. More than `maximumActions` actions without a pause means a
 * decision that its own action does not satisfy: a defect, reported instead of looping for ever.
 */
export async function advance<Observation, Action>(
  steps: Steps<Observation, Action>,
  maximumActions = 50,
): Promise<Advance> {
  for (let actions = 0; actions <= maximumActions; actions += 1) {
    const decision = steps.decide(await steps.observe());
    switch (decision.type) {
      case "act":
        await steps.act(decision.action);
        break;
      case "wait":
      case "retry":
        return decision;
      case "complete":
        await steps.finish({ outcome: "Completed" });
        return { type: "done" };
      case "cancel":
        await steps.finish({ outcome: "Cancelled", failure: decision.failure });
        return { type: "failed", failure: decision.failure };
      case "fail":
        await steps.finish({ outcome: "Failed", failure: decision.failure });
        return { type: "failed", failure: decision.failure };
    }
  }
  const failure: FailureRecord = {
    code: "internal",
    message: `The operation did not come to rest after ${maximumActions} actions.`,
    retry: "never",
  };
  await steps.finish({ outcome: "Failed", failure });
  return { type: "failed", failure };
}
