/** What a library takes that no test machine holds, from measured rates. */
import type { CaseReport } from "./figure.ts";

const objects = 200_000_000;
const bytes = 100e12;
const workers = [1, 4, 16, 64];

/** As the worker does: a page of a list, a small object, a pack in parts. */
const keysAPage = 1_000;
const packBytes = 32 << 20;
/** Begin, four parts, complete and look; its part of the journal: written, looked at, and removed in the end. */
const requestsAPack = 10;

/**
 * A section of the page, where the first backup of small objects was measured at full scale. Time is that of the objects
 * and, where large ones were measured too, that of their bytes added up, though much of both goes on at once: rather
 * too long than too short.
 */
export function onPaper(reports: readonly CaseReport[]): string | undefined {
  const [small, large] = ["buckets-first", "buckets-large"].map((name) =>
    reports.find((one) => one.name === name && one.scale === "full" && one.rates !== undefined),
  );
  const objectsPerSecond = small?.rates?.objectsPerSecond;
  if (objectsPerSecond === undefined) return undefined;
  const bytesPerSecond = large?.rates?.bytesPerSecond ?? Number.POSITIVE_INFINITY;
  const hours = (count: number) =>
    Math.ceil((objects / objectsPerSecond + bytes / bytesPerSecond) / count / 3600).toLocaleString("en");
  const byBytes =
    large === undefined
      ? "The time of the bytes is not in it: `buckets-large` has not been measured at full scale."
      : `The bytes are taken at ${Math.round(bytesPerSecond / 1e6)} MB a second (\`buckets-large\`) beside.`;
  const millions = (count: number) => `${(count / 1e6).toFixed(1)} million`;
  const packs = bytes / packBytes;
  return [
    "### On paper: 100 TB in 200 million objects",
    "",
    `At ${Math.round(objectsPerSecond)} small objects a second (\`buckets-first\`), as measured on this page with client and server on the same two loaded processors. ${byBytes} One worker backs up one prefix; a library is shared out among several by prefixes.`,
    "",
    "| Workers | Hours of the first backup |",
    "| --- | --- |",
    ...workers.map((count) => `| ${count} | ${hours(count)} |`),
    "",
    `Requests, however many workers: ${millions(objects / keysAPage)} for lists, ${millions(objects)} for objects, and at most ${millions(packs * requestsAPack)} for the repository (${millions(packs)} packs of 32 MiB), fewer by what is saved by compression. A backup after it, with 1 % changed: ${millions(objects / keysAPage)} for lists, ${millions(objects / 100)} for objects, ${millions((packs * requestsAPack) / 100)} for the repository.`,
    "",
  ].join("\n");
}
