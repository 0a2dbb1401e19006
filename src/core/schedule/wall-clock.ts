/**
 * The wall clock of a time zone. A wall time is written as the instant at which a clock in UTC shows the same:
 * milliseconds since 1970-01-01T00:00 of that wall.
 */

/** What the wall shows at an instant. */
export const wallAt = (ms: number, timeZone: string): number => ms + offsetAt(ms, timeZone);

export const offsetAt = (ms: number, timeZone: string): number =>
  zoned(ms, timeZone).offsetNanoseconds / 1_000_000;

/** When the offset changes next, after the instant; undefined: never again. */
export const changeAfter = (ms: number, timeZone: string): number | undefined =>
  zoned(ms, timeZone).getTimeZoneTransition("next")?.epochMilliseconds;

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
  Temporal.Instant.fromEpochMilliseconds(Math.floor(ms)).toZonedDateTimeISO(timeZone);
