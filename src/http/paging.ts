import { misshapen } from "./problems.ts";

/**
 * Where a page begins: so far after the newest entry that was there when the first page was made. What is made
 * meanwhile moves nothing.
 */
export interface PagePosition {
  readonly offset: number;
  readonly untilMs: number;
}

export const defaultLimit = 50;

export function readCursor(cursor: string | undefined, nowMs: number): PagePosition {
  if (cursor === undefined) return { offset: 0, untilMs: nowMs };
  const [, offset, untilMs] =
    /^(\d{1,9})\.(\d{1,15})$/.exec(Buffer.from(cursor, "base64url").toString()) ?? [];
  if (offset !== undefined && untilMs !== undefined)
    return { offset: Number(offset), untilMs: Number(untilMs) };
  const message = "This is no nextCursor of an earlier answer.";
  throw misshapen([{ code: "request-invalid", field: "cursor", message }]);
}

/** The cursor of the page that follows, if there is one. */
export function nextCursor(
  { offset, untilMs }: PagePosition,
  shown: number,
  total: number,
): { readonly nextCursor?: string } {
  const next = offset + shown;
  if (shown === 0 || next >= total) return {};
  return { nextCursor: Buffer.from(`${next}.${untilMs}`).toString("base64url") };
}

/** A day or an instant as §7 writes them, in milliseconds; the end of a day is its last one. */
export function readMoment(
  field: string,
  text: string | undefined,
  edge: "start" | "end",
): number | undefined {
  if (text === undefined) return undefined;
  const isDay = !text.includes("T");
  const day = new Date(`${text.slice(0, 10)}T00:00:00Z`);
  // The 30th of February is read as a day of March.
  const isReal = !Number.isNaN(day.getTime()) && text.startsWith(day.toISOString().slice(0, 10));
  const zone = isDay || /(?:Z|[+-]\d{2}:\d{2})$/.test(text) ? "" : "Z";
  const instant = isDay ? day.getTime() : Date.parse(`${text}${zone}`);
  if (!isReal || Number.isNaN(instant)) {
    const message = `"${text}" is no time of the calendar.`;
    throw misshapen([{ code: "request-invalid", field, message }]);
  }
  return isDay && edge === "end" ? instant + 86_399_999 : instant;
}
