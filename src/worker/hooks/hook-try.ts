import type { HookWork } from "../../contract/worker-task.ts";
import type { TaskRun } from "../task.ts";
import type { HookOutput } from "./hook-output.ts";

/** One try of one action, as the three kinds of actions need it. */
export interface HookTry {
  readonly work: HookWork;
  readonly run: Pick<TaskRun, "env" | "context">;
  readonly output: HookOutput;
  /** Aborted when the try's time is over or nobody wants it any more. */
  readonly signal: AbortSignal;
  readonly timeoutSeconds: number;
}
