import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../../core/failure.ts";
import { leasePrefix } from "../../core/repository/layout.ts";
import {
  findConflict,
  isExpired,
  type LeaseKind,
  type RepositoryLease,
} from "../../core/repository/lease.ts";
import type { StoredObject } from "../../core/ports/object-store.ts";
import { readObject } from "../streams/read-object.ts";
import type { TaskRun } from "../task.ts";

const leaseSeconds = 120;
const renewEverySeconds = 20;
/** A store far away may take its time; a lease that took longer than this to get is written anew. */
const acquireSeconds = 40;

/**
 * Runs `work` while no other process deletes in the repository. Any number may hold it at once. `work` is told the
 * lease's name: no other repository has an object of that name.
 */
export function withSharedLease<T>(
  run: TaskRun,
  holder: string,
  work: (signal: AbortSignal, leaseName: string) => Promise<T>,
): Promise<T> {
  return withLease("shared", run, holder, work);
}

/** Runs `work` while no other process refers to or deletes stored bytes in the repository. */
export function withExclusiveLease<T>(
  run: TaskRun,
  holder: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return withLease("exclusive", run, holder, work);
}

/**
 * Waits up to `waitSeconds` for leases that exclude it, then rejects with `repository-busy` (retry:
 * backoff), naming the holder. The signal given to `work` is aborted when the lease could not be renewed
 * in time: its holder must stop at once.
 */
async function withLease<T>(
  kind: LeaseKind,
  run: TaskRun,
  holder: string,
  work: (signal: AbortSignal, leaseName: string) => Promise<T>,
  waitSeconds = 30,
): Promise<T> {
  const id = run.ids.hex(12);
  const name = `${leasePrefix}${kind}-${id}.json`;
  const writtenAtMs = await acquire(kind, id, name, run, holder, waitSeconds);
  const lost = new AbortController();
  const stopRenewing = new AbortController();
  const renewing = renew(name, kind, id, run, holder, writtenAtMs, stopRenewing.signal, lost);
  try {
    return await work(AbortSignal.any([run.signal, lost.signal]), name);
  } finally {
    stopRenewing.abort();
    await renewing;
    await release(name, kind, id, run, holder).catch(() => undefined);
  }
}

/** Where the store does not let go of an object (retention), a lease that has expired stands for none. */
async function release(
  name: string,
  kind: LeaseKind,
  id: string,
  run: TaskRun,
  holder: string,
): Promise<void> {
  try {
    await run.store.delete(name);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "object-locked") throw error;
    await run.store.replace(name, leaseBytes(kind, id, run, holder, -leaseSeconds));
  }
}

/** When the lease was written, by the monotonic clock. */
async function acquire(
  kind: LeaseKind,
  id: string,
  name: string,
  run: TaskRun,
  holder: string,
  waitSeconds: number,
): Promise<number> {
  const deadlineMs = run.clock.nowMs() + waitSeconds * 1000;
  for (;;) {
    run.signal.throwIfAborted();
    const writtenAtMs = performance.now();
    await run.store.replace(name, leaseBytes(kind, id, run, holder));
    const leases = await readLeases(run).catch(async (error: unknown) => {
      await release(name, kind, id, run, holder).catch(() => undefined);
      throw error;
    });
    const conflict = findConflict(kind, id, leases, run.clock.nowMs());
    if (conflict === undefined) {
      if (performance.now() - writtenAtMs < acquireSeconds * 1000) return writtenAtMs;
      continue;
    }
    await release(name, kind, id, run, holder);
    if (run.clock.nowMs() >= deadlineMs) {
      throw new Failure(
        "repository-busy",
        `${run.store.url} is in use by ${conflict.holder} until ${conflict.expiresAt} at the latest. Try again later.`,
        { retry: "backoff" },
      );
    }
    // Random, so that two that took theirs back do not meet again.
    await delay(200 + Number.parseInt(run.ids.hex(2), 16) * 4, undefined, { signal: run.signal });
  }
}

async function renew(
  name: string,
  kind: LeaseKind,
  id: string,
  run: TaskRun,
  holder: string,
  writtenAtMs: number,
  stop: AbortSignal,
  lost: AbortController,
): Promise<void> {
  // By the monotonic clock: nobody can set it back. A process that was stopped and woken, or whose lease somebody
  // saw expire and took away, must not bring it back.
  let renewedAtMs = writtenAtMs;
  const lose = (why: string): void =>
    lost.abort(new Failure("repository-busy", `The lease on ${run.store.url} was lost: ${why}. Run again.`));
  while (!stop.aborted) {
    await delay(renewEverySeconds * 1000, undefined, { signal: stop }).catch(() => undefined);
    if (stop.aborted) return;
    const nowMs = performance.now();
    if (nowMs - renewedAtMs >= leaseSeconds * 1000) return lose("this process stood still too long");
    const ended = new AbortController();
    const endOfLease = delay(leaseSeconds * 1000 - (nowMs - renewedAtMs), "late" as const, {
      signal: ended.signal,
    }).catch(() => "late" as const);
    // A store that does not answer keeps nobody at work for longer than the lease.
    const outcome = await Promise.race([renewOnce(), endOfLease]);
    ended.abort();
    if (outcome === "gone") return lose("another user of the repository ended it");
    if (outcome === "late") return lose("the store did not answer in time");
    // What failed is tried again until the lease is over.
    if (outcome === "renewed") renewedAtMs = nowMs;
  }

  async function renewOnce(): Promise<"renewed" | "gone" | "failed"> {
    try {
      if ((await run.store.head(name)) === undefined) return "gone";
      await run.store.replace(name, leaseBytes(kind, id, run, holder));
      return "renewed";
    } catch {
      return "failed";
    }
  }
}

function leaseBytes(
  kind: LeaseKind,
  id: string,
  run: TaskRun,
  holder: string,
  forSeconds = leaseSeconds,
): Uint8Array {
  const expiresAt = new Date(run.clock.nowMs() + forSeconds * 1000).toISOString();
  const process_ = { namespace: processNamespace(), pid: process.pid };
  const lease: RepositoryLease = { format: "lc2-lease", kind, id, holder, expiresAt, process: process_ };
  return Buffer.from(`${JSON.stringify(lease)}\n`);
}

/** All leases that can be read; those that expired or whose process is dead are taken away on the way. */
async function readLeases(run: TaskRun): Promise<RepositoryLease[]> {
  const leases: RepositoryLease[] = [];
  for await (const object of run.store.list(leasePrefix)) {
    const lease = await readLease(run, object);
    if (lease === undefined) continue;
    // One that the store does not let go of stays, and counts no more.
    if (isExpired(lease, run.clock.nowMs()) || isHolderDead(lease))
      await run.store.delete(object.name).catch(ignoreLock);
    else leases.push(lease);
  }
  return leases;
}

function ignoreLock(error: unknown): void {
  if (!(error instanceof Failure) || error.code !== "object-locked") throw error;
}

/**
 * Undefined when it was given back meanwhile. One that cannot be read (another user's, a newer form) counts as
 * exclusive for as long as a lease written when it was would: who cannot tell what it forbids must keep out.
 */
async function readLease(run: TaskRun, object: StoredObject): Promise<RepositoryLease | undefined> {
  try {
    const lease = JSON.parse((await readObject(run.store, object.name)).toString()) as RepositoryLease;
    if (lease?.format === "lc2-lease" && Number.isFinite(Date.parse(lease.expiresAt))) return lease;
  } catch {
    if ((await run.store.head(object.name)) === undefined) return undefined;
  }
  return {
    format: "lc2-lease",
    kind: "exclusive",
    id: object.name,
    holder: `the holder of ${object.name}, which cannot be read here`,
    expiresAt: new Date(object.modifiedAtMs + leaseSeconds * 1000).toISOString(),
    process: { namespace: "unknown", pid: 0 },
  };
}

/** True only for certain: the holder lived in this very process namespace and is not there any more. */
function isHolderDead(lease: RepositoryLease): boolean {
  if (lease.process?.namespace !== processNamespace()) return false;
  try {
    process.kill(lease.process.pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ESRCH";
  }
}

let namespace: string | undefined;

/** Host, boot and PID namespace: where a process id means the same process. */
function processNamespace(): string {
  namespace ??= [hostname(), readBootId(), readPidNamespace()].join("/");
  return namespace;
}

function readBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "unknown-boot";
  }
}

function readPidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "no-namespace";
  }
}
