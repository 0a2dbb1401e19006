/** The local date and time of an instant, as `2026-11-29` and `17:05`. `timeZone`: an IANA name. */
export function localTime(nowMs: number, timeZone: string): { readonly date: string; readonly time: string } {
  const parts = new Intl.DateTimeFormat("en-CA", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).formatToParts(nowMs);
  const part = (type: string): string => parts.find((one) => one.type === type)?.value ?? "";
  return {
    date: `${part("year")}-${part("month")}-${part("day")}`,
    time: `${part("hour")}:${part("minute")}`,
  };
}

/** The date whose summary is due by now; undefined before its time of day. */
export function dueSummary(nowMs: number, timeZone: string, summaryAt: string): string | undefined {
  const { date, time } = localTime(nowMs, timeZone);
  return time >= summaryAt ? date : undefined;
}
