/**
 * The wall clock of a time zone. A wall time is written as the instant at which a clock in UTC shows the same:
 * milliseconds since 1970-01-01T00:00 of that wall.
 */

/** What the wall shows at an instant. */
export const wallAt = (ms: number, timeZone: string): number => ms + offsetAt(ms, timeZone);

export const offsetAt = (ms: number, timeZone: string): number => spanAt(ms, timeZone).offset;

/** When the offset changes next, after the instant; undefined: never again. */
export function changeAfter(ms: number, timeZone: string): number | undefined {
  const { untilMs } = spanAt(ms, timeZone);
  return untilMs === Infinity ? undefined : untilMs;
}

/** A time between two changes of a zone's offset. */
interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly offset: number;
}

/** Reading a zone's rules takes longer than all the rest of finding a time. By zone, the last ones that were asked for. */
const spans = new Map<string, readonly Span[]>();
const spansKept = 6;

function spanAt(ms: number, timeZone: string): Span {
  const known = spans.get(timeZone) ?? [];
  const found = known.find(({ fromMs, untilMs }) => fromMs <= ms && ms < untilMs);
  if (found !== undefined) return found;
  const span = readSpan(Math.floor(ms), timeZone);
  spans.set(timeZone, [span, ...known.slice(0, spansKept - 1)]);
  return span;
}

function readSpan(ms: number, timeZone: string): Span {
  const at = zoned(ms, timeZone);
  return {
    // The change at this very instant is the one that it follows.
    fromMs: zoned(ms + 1, timeZone).getTimeZoneTransition("previous")?.epochMilliseconds ?? -Infinity,
    untilMs: at.getTimeZoneTransition("next")?.epochMilliseconds ?? Infinity,
    offset: at.offsetNanoseconds / 1_000_000,
  };
}

/**
 * When the wall shows this time: the first time that it does; where the clock is put forward over it, the moment at
 * which that is done.
 */
export function instantOf(wall: number, timeZone: string): number {
  const offset = offsetAt(wall - farthestMs, timeZone);
  // Most days nothing changes.
  return offset === offsetAt(wall + farthestMs, timeZone) ? wall - offset : instantNearChange(wall, timeZone);
}

/** Farther from UTC is no zone. */
const farthestMs = 16 * 3_600_000;

function instantNearChange(wall: number, timeZone: string): number {
  const plain = Temporal.Instant.fromEpochMilliseconds(wall).toZonedDateTimeISO("UTC").toPlainDateTime();
  const first = plain.toZonedDateTime(timeZone, { disambiguation: "earlier" });
  // A time that is passed over is given with the offset of before the change, which lies ahead.
  return first.toPlainDateTime().equals(plain)
    ? first.epochMilliseconds
    : (changeAfter(first.epochMilliseconds, timeZone) ?? first.epochMilliseconds);
}

export function isTimeZone(timeZone: string): boolean {
  try {
    zoned(0, timeZone);
    return true;
  } catch {
    return false;
  }
}

const zoned = (ms: number, timeZone: string): Temporal.ZonedDateTime =>
  Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(timeZone);
