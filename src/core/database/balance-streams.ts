export interface SizedTable {
  readonly oid: number;
  readonly sizeBytes: number;
}

export interface StreamPlan {
  /** Oids of the tables whose rows get an archive of their own, one list an archive; none is empty. */
  readonly rows: readonly (readonly number[])[];
}

/** Below this a table is not worth an archive of its own. */
const smallestMovedBytes = 8 * 1024 * 1024;

/**
 * Deals the biggest tables out to `streams` archives so that they end at about the same time. The first is
 * the main archive, which has everything else (`restBytes`: large objects) and may keep big tables too.
 * Largest first, each to the archive with the least to do. Pure; the same input gives the same plan.
 */
export function balanceStreams(
  tables: readonly SizedTable[],
  restBytes: number,
  streams: number,
): StreamPlan {
  const big = tables
    .filter((table) => table.sizeBytes >= smallestMovedBytes)
    .toSorted((a, b) => b.sizeBytes - a.sizeBytes || a.oid - b.oid);
  const small = tables.filter((table) => table.sizeBytes < smallestMovedBytes);
  const main = {
    load: restBytes + small.reduce((sum, table) => sum + table.sizeBytes, 0),
    oids: [] as number[],
  };
  const others = Array.from({ length: Math.max(0, streams - 1) }, () => ({ load: 0, oids: [] as number[] }));
  for (const table of big) {
    const least = others.reduce((best, next) => (next.load < best.load ? next : best), main);
    least.load += table.sizeBytes;
    least.oids.push(table.oid);
  }
  return { rows: others.map((stream) => stream.oids).filter((oids) => oids.length > 0) };
}

const gibibyte = 1024 ** 3;

/**
 * How many archives are read at once where nobody said: more pay only where one backend would be the
 * limit for long, and each costs the source a backend and a processor.
 */
export function chooseStreams(databaseBytes: number, processors: number): number {
  const wanted =
    databaseBytes < gibibyte ? 1 : databaseBytes < 16 * gibibyte ? 2 : databaseBytes < 64 * gibibyte ? 3 : 4;
  return Math.max(1, Math.min(wanted, processors));
}
