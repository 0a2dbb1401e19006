import type { Failure } from "../../core/failure.ts";
import { SourceError } from "../../core/ports/file-source.ts";
import { readFailure } from "./read-object-bytes.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isConditionFailed, isMissing, isNoBucket } from "./s3-failure.ts";
import { describeError } from "./store-error.ts";

/** What concerns this object alone is a `SourceError`; what concerns the store is final, a `Failure`. */
export function sourceError(error: unknown, connection: S3Connection, name: string): SourceError | Failure {
  if (error instanceof SourceError) return error;
  if (isConditionFailed(error) || (isMissing(error) && !isNoBucket(error)))
    return new SourceError("changed", "it was replaced or removed while it was read", error);
  const failure = readFailure(error, connection, { verb: "read", action: "s3:GetObject", key: name });
  const isOfObject = objectCodes.has(failure.code) || isObjectsOwn(error);
  return isOfObject ? new SourceError("unreadable", failure.message, error) : failure;
}

const objectCodes = new Set(["store-access-denied", "object-cold", "data-damaged"]);

/** Encrypted with a customer's own key, or with a key of KMS that is disabled or deleted. */
function isObjectsOwn(error: unknown): boolean {
  const { code, status } = describeError(error);
  return status === 400 && (code.startsWith("KMS.") || code === "InvalidRequest");
}
