import type { Submission } from "../contract/service.ts";
import type { Operation, OperationKind } from "../core/operation/operation.ts";
import type { NewOperation } from "../core/ports/catalog.ts";
import { makeOperationId } from "../core/repository/layout.ts";
import type { EngineParts } from "./parts.ts";

/** What is asked for, before it has an id and an owner. */
export interface OperationWish {
  readonly kind: OperationKind;
  readonly projectId: string;
  readonly application?: string;
  /** What is backed up, or restored into. */
  readonly environment?: string;
  /** JSON. */
  readonly spec: unknown;
  /** Canonical URL. */
  readonly repository: string;
}

/** Whose work it is: this process's own, or `nobody`'s while it waits for its turn. */
export type OwnedSubmission = Submission & { readonly leaseOwner: string };

export type RecordedOperation = Pick<
  Operation,
  "id" | "projectId" | "repository" | "requestId" | "leaseOwner" | "end"
>;

/** Puts a request into the catalog; what is there already under the id that the submission names, `isNew` false. */
export async function recordOperation(
  parts: EngineParts,
  wish: OperationWish,
  submission: OwnedSubmission,
): Promise<{ readonly operation: RecordedOperation; readonly isNew: boolean }> {
  const { operationId } = submission;
  const operation = makeOperation(parts, wish, submission);
  if (await parts.catalog.createOperation(operation, { seconds: parts.leaseSeconds })) {
    return { operation, isNew: true };
  }
  const known = operationId === undefined ? undefined : await parts.catalog.getOperation(operationId);
  if (known !== undefined) return { operation: known, isNew: false };
  // The same second and the same six random digits.
  return await recordOperation(parts, wish, submission);
}

/** The operation that a request becomes. */
export function makeOperation(
  parts: EngineParts,
  wish: OperationWish,
  { operationId, requestId, leaseOwner }: OwnedSubmission,
): NewOperation {
  const nowMs = parts.clock.nowMs();
  return {
    ...wish,
    id: operationId ?? makeOperationId(wish.kind, nowMs, parts.ids.hex(6)),
    requestId: requestId ?? `req-${parts.ids.hex(12)}`,
    createdAtMs: nowMs,
    leaseOwner,
  };
}

/** This process's work: it holds the lease from the beginning. */
export const ownWork = (parts: EngineParts): OwnedSubmission => ({
  leaseOwner: parts.processes.identifyThisProcess(parts.ids.hex(8)),
});
