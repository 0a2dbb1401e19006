/**
 * Leases on a repository, so that deleting never meets a backup that is about to refer to the same bytes,
 * whoever else uses the repository. A lease is a small object `leases/{kind}-{id}.json`; it counts until
 * `expiresAt` by the repository's users' clocks (they must agree within `clockToleranceSeconds`).
 *
 * Everyone writes their own lease first and looks at the others' afterwards. Of two that exclude each
 * other at least one therefore sees the other, takes its own back and tries later.
 */
export interface RepositoryLease {
  readonly format: "lc2-lease";
  readonly kind: LeaseKind;
  readonly id: string;
  /** For people: what holds it, e.g. `backup-files backup-20251110-020000-3f9c2a on host db1`. */
  readonly holder: string;
  readonly expiresAt: string;
  /** The process that holds it; whoever shares its process namespace can see that it is dead. */
  readonly process: { readonly namespace: string; readonly pid: number };
}

export type LeaseKind = "shared" | "exclusive";

const clockToleranceSeconds = 60;

/** The lease among `others` that keeps one of kind `wanted` from holding, if any. */
export function findConflict(
  wanted: LeaseKind,
  ownId: string,
  others: readonly RepositoryLease[],
  nowMs: number,
): RepositoryLease | undefined {
  return others.find(
    (other) =>
      other.id !== ownId &&
      !isExpired(other, nowMs) &&
      (wanted === "exclusive" || other.kind === "exclusive"),
  );
}

/** Expired for certain, clocks that disagree included. */
export function isExpired(lease: RepositoryLease, nowMs: number): boolean {
  return Date.parse(lease.expiresAt) + clockToleranceSeconds * 1000 < nowMs;
}
