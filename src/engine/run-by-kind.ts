import type { Steps } from "../core/operation/advance.ts";
import type { OperationKind } from "../core/operation/operation.ts";
import type { OperationSession } from "./operation-session.ts";
import type { EngineParts } from "./parts.ts";
import { makeBackupSteps } from "./run-backup.ts";
import { makeCopySteps } from "./run-copy.ts";
import { makeRestoreSteps } from "./run-restore.ts";
import { makeUndoSteps } from "./run-undo.ts";

/** Something done to the steps of any kind of operation. */
export type AdaptSteps = <Observation, Action>(
  steps: Steps<Observation, Action>,
) => Steps<Observation, Action>;

/** Goes on with an operation that another process began. */
export async function runByKind(
  parts: EngineParts,
  session: OperationSession,
  kind: OperationKind,
  adapt: AdaptSteps = (steps) => steps,
): Promise<void> {
  switch (kind) {
    case "backup":
      return await session.run(adapt(makeBackupSteps(parts, session)));
    case "restore":
      return await session.run(adapt(makeRestoreSteps(parts, session)));
    case "undo":
      return await session.run(adapt(makeUndoSteps(parts, session)));
    case "copy":
      return await session.run(adapt(makeCopySteps(parts, session)));
  }
}
