/** What an error of the client or of the connection says, whatever its shape. */
export interface StoreError {
  /** S3's code (`NoSuchKey`), the client's or Node's name. */
  readonly code: string;
  readonly message: string;
  readonly status?: number;
  /** Of Node: `ECONNREFUSED`, `CERT_HAS_EXPIRED`. */
  readonly systemCode?: string;
  /** How long the store asks to wait. */
  readonly retryAfterMs?: number;
  /** The store's time, where the answer has it. */
  readonly storeTimeMs?: number;
  /** The region that the bucket is in, where the answer has it. */
  readonly region?: string;
  readonly requestId?: string;
  readonly clockSkewCorrected: boolean;
  /** How often the request was sent. */
  readonly attempts: number;
}

export function describeError(error: unknown): StoreError {
  const facts = asRecord(error);
  const metadata = asRecord(facts["$metadata"]);
  const headers = asRecord(asRecord(facts["$response"])["headers"]);
  const status = numberOf(metadata["httpStatusCode"]) ?? numberOf(asRecord(facts["$response"])["statusCode"]);
  const systemCode = systemCodeOf(error);
  const retryAfterMs = parseRetryAfter(textOf(headers["retry-after"]));
  const storeTimeMs = parseTime(facts["ServerTime"]) ?? parseTime(headers["date"]);
  const region = textOf(headers["x-amz-bucket-region"]) ?? textOf(facts["Region"]);
  const requestId = textOf(metadata["requestId"]);
  return {
    code: textOf(facts["Code"]) ?? textOf(facts["name"]) ?? "Error",
    message: error instanceof Error ? error.message : String(error),
    clockSkewCorrected: metadata["clockSkewCorrected"] === true,
    attempts: numberOf(facts["attempts"]) ?? 1,
    ...(status === undefined ? {} : { status }),
    ...(systemCode === undefined ? {} : { systemCode }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(storeTimeMs === undefined ? {} : { storeTimeMs }),
    ...(region === undefined ? {} : { region }),
    ...(requestId === undefined ? {} : { requestId }),
  };
}

/** The code of the innermost cause that has one; several addresses tried give an `AggregateError`. */
function systemCodeOf(error: unknown, depth = 0): string | undefined {
  const facts = asRecord(error);
  if (depth > 5) return undefined;
  const own = textOf(facts["code"]);
  if (own !== undefined && /^[A-Z][A-Z0-9_]+$/.test(own)) return own;
  const inner = Array.isArray(facts["errors"]) ? (facts["errors"][0] as unknown) : facts["cause"];
  return inner === undefined || inner === null ? undefined : systemCodeOf(inner, depth + 1);
}

/** Seconds, or a date. Never longer than an hour: a store that says so says nonsense. */
export function parseRetryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.min(3_600_000, Math.max(0, ms)) : undefined;
}

function parseTime(value: unknown): number | undefined {
  const ms = value instanceof Date ? value.getTime() : Date.parse(textOf(value) ?? "");
  return Number.isFinite(ms) ? ms : undefined;
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

const textOf = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;
const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);
