import type { Waiting } from "../contract/service.ts";
import type { Problem } from "../core/backup/validate-backup.ts";
import { Failure } from "../core/failure.ts";
import type { EngineParts } from "./parts.ts";
import { recoverDeadOperations } from "./recover-operations.ts";
import { tendRetiredDatabases } from "./retired-databases.ts";

/**
 * Every call that uses the catalog begins with what others left behind. Returns the parts to go on with:
 * what nobody asked for is told to whoever waits.
 */
export async function beginCall(parts: EngineParts, waiting?: Waiting): Promise<EngineParts> {
  const told: EngineParts =
    waiting === undefined ? parts : { ...parts, notice: (line) => waiting.onEvent({ type: "log", line }) };
  await recoverDeadOperations(told);
  if (waiting !== undefined) await tendRetiredDatabases(told, waiting.signal);
  return told;
}

/** All problems in one failure; its code is the problem's own when there is only one kind. */
export function refuseProblems(problems: readonly Problem[]): void {
  const [first] = problems;
  if (first === undefined) return;
  const isOneKind = problems.every(({ code }) => code === first.code);
  throw new Failure(
    isOneKind ? first.code : "request-invalid",
    problems.map(({ message }) => message).join(" "),
  );
}
