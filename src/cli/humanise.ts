/** Numbers as people read them. Decimal units: 1 MB is 1,000,000 bytes, as disks and networks count. */

const byteUnits = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (unit < byteUnits.length - 1 && value >= 999.5) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${byteUnits[unit] ?? "PB"}`;
}

export const rate = (bytesPerSecond: number): string => `${size(bytesPerSecond)}/s`;

/** 1234567 → "1,234,567". */
export function count(value: number): string {
  return Math.trunc(value)
    .toString()
    .replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

/** "1 file", "2 files", "1,204 files". */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

export function duration(seconds: number): string {
  if (seconds < 0) return "0 s";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return pair(whole, 60, "min", 1, "s");
  if (whole < 86_400) return pair(whole, 3600, "h", 60, "min");
  return pair(whole, 86_400, "d", 3600, "h");
}

function pair(seconds: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const first = Math.floor(seconds / large);
  const second = Math.floor((seconds - first * large) / small);
  return second === 0 ? `${first} ${largeUnit}` : `${first} ${largeUnit} ${second} ${smallUnit}`;
}

/** How long ago, short: "12s", "5m", "3h", "41d", "2y". */
export function age(fromMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - fromMs) / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)}h`;
  if (seconds < 730 * 86_400) return `${Math.floor(seconds / 86_400)}d`;
  return `${Math.floor(seconds / (365 * 86_400))}y`;
}

/** "7.5 : 1"; undefined where one of the two is nothing. */
export function ratio(plainBytes: number, storedBytes: number): string | undefined {
  if (plainBytes <= 0 || storedBytes <= 0) return undefined;
  return `${(plainBytes / storedBytes).toFixed(1)} : 1`;
}

export function percent(part: number, whole: number): string {
  if (whole <= 0) return "100 %";
  return `${Math.min(100, Math.floor((part / whole) * 100))} %`;
}

/** A time for people: "2026-11-24 14:05:09 UTC". */
export function instant(iso: string): string {
  const match = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:\.\d+)?Z$/.exec(iso);
  return match === null ? iso : `${match[1]} ${match[2]} UTC`;
}

/** A word for a POSIX shell: quoted only where it must be. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
