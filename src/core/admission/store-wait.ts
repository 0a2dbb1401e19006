import { isBucketUrl, parseBucketUrl } from "../files/bucket-url.ts";
import { isAhead, pauseMs } from "../operation/decide-retry.ts";

/** A store that nobody is sent to for now, because it does not answer or asked to be left alone. */
export interface StoreWait {
  /** As `storeAccountOf` names it. */
  readonly store: string;
  readonly kind: "away" | "throttled";
  readonly sinceMs: number;
  /** When one operation may try again. */
  readonly untilMs: number;
  /** How often it was tried in vain. */
  readonly tries: number;
}

/**
 * What stands and falls together for whoever sends requests: an endpoint, or, at AWS, where one bucket says nothing of
 * another, the bucket. Absent for a folder, which has nobody who would answer.
 */
export function storeAccountOf(url: string): string | undefined {
  if (!isBucketUrl(url)) return undefined;
  const parsed = parseBucketUrl(url);
  if (!("place" in parsed)) return undefined;
  return parsed.place.endpoint ?? `s3://${parsed.place.bucket}`;
}

/**
 * What is known once an operation has met a store that is away or throttles. Others that meet the same while it is
 * waited for say nothing new.
 */
export function nextStoreWait(
  known: StoreWait | undefined,
  met: Pick<StoreWait, "store" | "kind"> & { readonly nowMs: number; readonly retryAfterMs?: number },
): StoreWait {
  const { store, kind, nowMs, retryAfterMs = 0 } = met;
  if (known !== undefined && isAhead(known.untilMs, nowMs + retryAfterMs)) return known;
  const tries = known === undefined ? 1 : isAhead(known.untilMs, nowMs) ? known.tries : known.tries + 1;
  const pause = Math.max(retryAfterMs, pauseMs(tries, `${store} ${nowMs}`, true));
  return { store, kind, sinceMs: known?.sinceMs ?? nowMs, untilMs: nowMs + pause, tries };
}
