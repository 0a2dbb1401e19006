import { setTimeout as delay } from "node:timers/promises";
import type { ConcurrencyLimiter } from "./concurrency-limiter.ts";
import { describeError, type StoreError } from "./store-error.ts";

/** How long and how often a request that failed for a passing reason is tried again. */
export interface RetryPolicy {
  /** From the first failure to giving up. */
  readonly totalMs: number;
  /** The same, for a store that has not answered once: a wrong address shall be said soon. */
  readonly firstContactMs: number;
  /** The same, where nothing listens at the address: no store that is busy refuses connections. */
  readonly refusedMs: number;
  /** The first pause is a random part of this; it doubles with every further one. */
  readonly baseMs: number;
  readonly longestPauseMs: number;
}

export const defaultRetryPolicy: RetryPolicy = {
  totalMs: 150_000,
  firstContactMs: 12_000,
  refusedMs: 2_000,
  baseMs: 100,
  longestPauseMs: 20_000,
};

/** What an error means for the one who sent the request. */
export type ErrorClass = "throttled" | "transient" | "permanent";

const throttleCodes = new Set([
  "SlowDown",
  "SlowDownRead",
  "SlowDownWrite",
  "Throttling",
  "ThrottlingException",
  "RequestLimitExceeded",
  "TooManyRequests",
  "TooManyRequestsException",
  "BandwidthLimitExceeded",
  "RequestThrottled",
  "ServiceUnavailable",
]);
const transientCodes = new Set([
  "InternalError",
  "OperationAborted",
  "ConditionalRequestConflict",
  "RequestTimeout",
  "TimeoutError",
  "IncompleteBody",
  // An answer that was cut within its XML.
  "DeserializationError",
]);
const transientSystemCodes = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ECONNABORTED",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

export function classifyError(error: unknown): ErrorClass {
  const { code, status, systemCode } = describeError(error);
  if (status === 429 || throttleCodes.has(code) || status === 503) return "throttled";
  if (transientCodes.has(code) || transientSystemCodes.has(systemCode ?? "")) return "transient";
  if (status !== undefined && status >= 500 && status !== 501) return "transient";
  if (isCutAnswer(error)) return "transient";
  return "permanent";
}

/** Node's own words for a connection that ended in the middle. */
function isCutAnswer(error: unknown): boolean {
  return error instanceof Error && /socket hang up|^aborted$|premature close|terminated/i.test(error.message);
}

/**
 * One request with its patience: when it failed for a passing reason, `next` says how long to wait before it
 * is sent again, or that its time is up.
 */
export class Patience {
  readonly #policy: RetryPolicy;
  readonly #hasAnswered: () => boolean;
  #failures = 0;
  #firstFailureMs = 0;

  constructor(policy: RetryPolicy, hasAnswered: () => boolean) {
    this.#policy = policy;
    this.#hasAnswered = hasAnswered;
  }

  get failures(): number {
    return this.#failures;
  }

  /** What was asked for is coming: a later failure starts anew. */
  progressed(): void {
    this.#failures = 0;
  }

  /** Milliseconds to wait (full jitter; what the store asks for is honoured), or undefined: give up. */
  next({ retryAfterMs, systemCode }: Pick<StoreError, "retryAfterMs" | "systemCode">): number | undefined {
    const nowMs = performance.now();
    if (this.#failures === 0) this.#firstFailureMs = nowMs;
    this.#failures += 1;
    const { baseMs, longestPauseMs, totalMs, firstContactMs, refusedMs } = this.#policy;
    const longest = Math.min(longestPauseMs, baseMs * 2 ** Math.min(20, this.#failures - 1));
    const pauseMs = Math.max(retryAfterMs ?? 0, Math.random() * longest);
    const unheardMs = systemCode === "ECONNREFUSED" ? Math.min(refusedMs, firstContactMs) : firstContactMs;
    const leftMs = (this.#hasAnswered() ? totalMs : unheardMs) - (nowMs - this.#firstFailureMs);
    return pauseMs > leftMs ? undefined : pauseMs;
  }
}

/** What the middleware needs of the connection it serves. */
export interface RetryHost {
  readonly policy: RetryPolicy;
  readonly limiter: ConcurrencyLimiter;
  readonly hasAnswered: () => boolean;
  readonly noteAnswer: () => void;
  /** Fetches credentials anew. False when the same ones would be sent again. */
  readonly refreshCredentials: () => Promise<boolean>;
}

/**
 * Sends a request until it succeeds, fails for good, or its patience ends; the only place that retries. An
 * error that is handed on carries `attempts`.
 */
export async function sendPatiently<T>(
  host: RetryHost,
  signal: AbortSignal | undefined,
  send: () => Promise<T>,
): Promise<T> {
  const patience = new Patience(host.policy, host.hasAnswered);
  let corrections = 0;
  for (let attempts = 1; ; attempts += 1) {
    try {
      const answer = await send();
      host.noteAnswer();
      host.limiter.noteAnswer();
      return answer;
    } catch (error) {
      const facts = describeError(error);
      if (facts.status !== undefined) host.noteAnswer();
      const correctable = corrections < 2 && (await isCorrected(host, facts));
      if (correctable) corrections += 1;
      const kind = classifyError(error);
      if (kind === "throttled") host.limiter.noteThrottled();
      const pauseMs = correctable ? 0 : kind === "permanent" ? undefined : patience.next(facts);
      if (signal?.aborted || pauseMs === undefined) throw noteAttempts(error, attempts);
      await delay(pauseMs, undefined, signal === undefined ? {} : { signal }).catch(() => {
        throw noteAttempts(error, attempts);
      });
    }
  }
}

/** The client has learnt the store's time, or there are newer credentials: the same request may pass now. */
async function isCorrected(host: RetryHost, facts: StoreError): Promise<boolean> {
  // The client takes the store's time over. It does not say so where that is this machine's own time again, as
  // behind a balancer with one machine whose clock is wrong.
  if (facts.clockSkewCorrected || facts.code === "RequestTimeTooSkewed") return true;
  return facts.code === "ExpiredToken" || facts.code === "TokenRefreshRequired"
    ? await host.refreshCredentials()
    : false;
}

function noteAttempts(error: unknown, attempts: number): unknown {
  if (error instanceof Error) Object.assign(error, { attempts });
  return error;
}
