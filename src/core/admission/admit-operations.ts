import type { OperationKind } from "../operation/operation.ts";
import { isAhead } from "../operation/decide-retry.ts";
import type { StoreWait } from "./store-wait.ts";

/** What waits for its turn. Copies and undos are begun by whoever asks for them. */
export type QueuedKind = "backup" | "restore";

export interface RunningOperation {
  readonly id: string;
  readonly kind: OperationKind;
  readonly projectId: string;
  /** What it works on; see `placesOf`. */
  readonly places: readonly string[];
  /** Stores that it sends requests to; see `storeAccountOf`. */
  readonly stores: readonly string[];
  /** When it began; absent: in this look. */
  readonly begunAtMs?: number;
}

export interface WaitingOperation extends RunningOperation {
  readonly kind: QueuedKind;
  readonly createdAtMs: number;
  /** An attempt failed, and the next one begins not before this instant. */
  readonly notBeforeMs?: number;
}

/** Of the whole installation, however many servers it has. */
export interface AdmissionLimits {
  readonly backups: number;
  readonly restores: number;
  /** Backups and restores of one project that has no cap of its own; absent: no limit. */
  readonly perProject?: number;
}

/** How many backups and restores a project allows itself at once. */
export interface ProjectCap {
  readonly projectId: string;
  readonly operations: number;
}

/** When an operation of this kind was last begun for a project. */
export interface Served {
  readonly projectId: string;
  readonly kind: OperationKind;
  readonly atMs: number;
}

export interface AdmissionObservation {
  /** Oldest first. */
  readonly running: readonly RunningOperation[];
  readonly waiting: readonly WaitingOperation[];
  readonly served: readonly Served[];
  readonly storeWaits: readonly StoreWait[];
  readonly limits: AdmissionLimits;
  /** Of projects that have one; it holds instead of `limits.perProject`. */
  readonly projectCaps: readonly ProjectCap[];
  readonly nowMs: number;
}

export type Admission =
  | { readonly id: string; readonly admit: true }
  | {
      readonly id: string;
      readonly admit: false;
      /** Counts from 1, among the waiting ones of its kind. */
      readonly position: number;
      readonly of: number;
      /** What has to end, or to begin, before it. */
      readonly behind?: { readonly id: string; readonly projectId: string };
      /** Why it waits; names no other operation and no other project. */
      readonly reason: string;
    };

/**
 * A restore goes before a backup of the same place or project that came less than this before it. Not before an
 * older one: restores that never end to come would keep it waiting for ever.
 */
const headStartMs = 24 * 3_600_000;

/**
 * Which of the waiting operations begin now, and what the others wait for: an answer for each, in the order given.
 *
 * - Not more at once than the limits say.
 * - One operation at a time works on a place. Of those that wait for the same place the first keeps it free.
 * - What failed waits for its time. Nobody is sent to a store that is away or throttles; when its time has come one
 *   operation tries, and the others follow when it was answered. They keep nothing from others meanwhile.
 * - Restores first, as far as the two kinds are in each other's way: they have limits of their own.
 * - Of several projects, the one with the fewest of that kind running begins; of equals, the one that was served least
 *   recently. In a project the first that came.
 *
 * None waits for ever while operations end: a place and a project's slot go to whoever came first, and a project that
 * waits comes to be the least recently served.
 */
export function admitOperations(seen: AdmissionObservation): Admission[] {
  const state = new Turn(seen);
  const obstacles = state.admitAll();
  const standing = new Map<string, Admission>();
  for (const kind of ["restore", "backup"] as const) {
    const order = state.fairOrder(kind, obstacles);
    for (const [index, { operation, obstacle }] of order.entries()) {
      const behind = obstacle.behind ?? order[index - 1]?.operation ?? state.oldest(kind);
      standing.set(operation.id, {
        id: operation.id,
        admit: false,
        position: index + 1,
        of: order.length,
        ...(behind === undefined ? {} : { behind: { id: behind.id, projectId: behind.projectId } }),
        reason: obstacle.reason,
      });
    }
  }
  return seen.waiting.map(({ id }) => standing.get(id) ?? { id, admit: true });
}

interface Obstacle {
  /** Absent: the limit of its kind, which is nobody's in particular. */
  readonly behind?: RunningOperation;
  readonly reason: string;
}
interface Blocked {
  readonly operation: WaitingOperation;
  readonly obstacle: Obstacle;
}

/** One look at the queue, and what has begun in it. */
class Turn {
  readonly #limits: AdmissionLimits;
  readonly #caps: ReadonlyMap<string, number>;
  readonly #running: RunningOperation[];
  /** Whoever came first is first, restores with their head start. */
  readonly #waiting: WaitingOperation[];
  readonly #served: Recency;
  readonly #storeWaits: ReadonlyMap<string, StoreWait>;
  readonly #nowMs: number;

  constructor(seen: AdmissionObservation) {
    const { running, waiting, served, storeWaits, limits, projectCaps, nowMs } = seen;
    this.#limits = limits;
    this.#caps = new Map(projectCaps.map((cap) => [cap.projectId, cap.operations]));
    this.#nowMs = nowMs;
    this.#storeWaits = new Map(storeWaits.map((wait) => [wait.store, wait]));
    this.#running = [...running];
    this.#waiting = waiting.toSorted((a, b) => rankOf(a) - rankOf(b) || (a.id < b.id ? -1 : 1));
    this.#served = new Recency(served);
  }

  /** Begins what may begin; what keeps the rest from it. */
  admitAll(): Blocked[] {
    const began = new Set<WaitingOperation>();
    for (;;) {
      const { free, blocked } = this.#look(this.#waiting.filter((one) => !began.has(one)));
      const next = this.#fairest(free);
      if (next === undefined) return blocked;
      began.add(next);
      this.#running.push(next);
      this.#served.note(next);
    }
  }

  /**
   * The order in which those of a kind would begin if nothing but fairness were asked. In each round every project that
   * has as many running as the round counts has its turn. One that begins has one more, and was served last: the next
   * round finds it behind those that had so many from the start.
   */
  fairOrder(kind: QueuedKind, blocked: readonly Blocked[]): Blocked[] {
    const ofKind = blocked.filter(({ operation }) => operation.kind === kind);
    const running = countByProject(this.#running);
    const lines = [...Map.groupBy(ofKind, ({ operation }) => operation.projectId).values()].map((line) => {
      const key = keyOf({ kind, projectId: line[0]?.operation.projectId ?? "" });
      return { line, running: running.get(key) ?? 0, servedMs: this.#served.of(key) };
    });
    const rounds: Blocked[][] = [];
    for (const { line, running: before } of lines.toSorted(
      (a, b) => b.running - a.running || a.servedMs - b.servedMs,
    ))
      for (const [index, one] of line.entries()) (rounds[before + index] ??= []).push(one);
    return rounds.flat();
  }

  oldest(kind: QueuedKind): RunningOperation | undefined {
    return this.#running.find((one) => one.kind === kind);
  }

  #look(waiting: readonly WaitingOperation[]): { free: WaitingOperation[]; blocked: Blocked[] } {
    const holders = new Map<string, RunningOperation>();
    for (const one of this.#running) for (const place of one.places) holders.set(place, one);
    const ofProject = new Map<string, number>();
    for (const one of this.#running) if (isQueued(one)) addOne(ofProject, one.projectId);
    const seenProjects = new Set<string>();
    const free: WaitingOperation[] = [];
    const blocked: Blocked[] = [];
    for (const operation of waiting) {
      const { projectId, places } = operation;
      const early = this.#notYet(operation);
      if (early !== undefined) {
        blocked.push({ operation, obstacle: early });
        continue;
      }
      const isFirst = !seenProjects.has(projectId);
      seenProjects.add(projectId);
      const held = this.#heldPlace(operation, holders);
      const full = held ?? this.#fullProject(operation, ofProject.get(projectId) ?? 0);
      const obstacle = full ?? this.#fullKind(operation);
      // Whoever comes later must not take away what this one waits for.
      for (const place of places) if (!holders.has(place)) holders.set(place, operation);
      if (obstacle === undefined) free.push(operation);
      else blocked.push({ operation, obstacle });
      if (obstacle === undefined || (full === undefined && isFirst)) addOne(ofProject, projectId);
    }
    return { free, blocked };
  }

  /** It waits for a time, not for others. */
  #notYet({ notBeforeMs, stores }: WaitingOperation): Obstacle | undefined {
    for (const store of stores) {
      const wait = this.#storeWaits.get(store);
      if (wait === undefined) continue;
      const what = wait.kind === "away" ? "does not answer" : "asks to slow down";
      const since = `${store} ${what} since ${timeOf(wait.sinceMs)}`;
      if (isAhead(wait.untilMs, this.#nowMs))
        return { reason: `${since}; it is tried again at ${timeOf(wait.untilMs)}` };
      // What began earlier may not ask that store for hours.
      const behind = this.#running.find(
        ({ stores: used, begunAtMs = Infinity }) =>
          used.includes(store) && (begunAtMs >= wait.untilMs || wait.untilMs > this.#nowMs),
      );
      if (behind !== undefined) return { behind, reason: `${since}; one operation tries it at this moment` };
    }
    if (notBeforeMs === undefined || !isAhead(notBeforeMs, this.#nowMs)) return undefined;
    return { reason: `its last attempt failed, and the next one begins at ${timeOf(notBeforeMs)}` };
  }

  #heldPlace(
    { places }: WaitingOperation,
    holders: ReadonlyMap<string, RunningOperation>,
  ): Obstacle | undefined {
    for (const place of places) {
      const behind = holders.get(place);
      if (behind === undefined) continue;
      const first = this.#running.includes(behind) ? "" : ", and that one goes first";
      return { behind, reason: `one operation at a time works on ${place}${first}` };
    }
    return undefined;
  }

  #fullProject({ projectId }: WaitingOperation, count: number): Obstacle | undefined {
    const cap = this.#caps.get(projectId);
    const most = cap ?? this.#limits.perProject;
    if (most === undefined || count < most) return undefined;
    const behind = this.#running.find((one) => isQueued(one) && one.projectId === projectId);
    const whose = cap === undefined ? "one" : "this";
    const many =
      most === 1 ? `1 operation of ${whose} project runs` : `${most} operations of ${whose} project run`;
    const reason = `${many} at once at most (${cap === undefined ? "LC2_MAX_PER_PROJECT" : "its own cap"})`;
    return { ...(behind === undefined ? {} : { behind }), reason };
  }

  #fullKind({ kind }: WaitingOperation): Obstacle | undefined {
    const limit = kind === "backup" ? this.#limits.backups : this.#limits.restores;
    if (this.#running.filter((one) => one.kind === kind).length < limit) return undefined;
    const many = limit === 1 ? `1 ${kind} runs` : `${limit} ${kind}s run`;
    return {
      reason: `${many} at once at most (${kind === "backup" ? "LC2_MAX_BACKUPS" : "LC2_MAX_RESTORES"})`,
    };
  }

  #fairest(candidates: readonly WaitingOperation[]): WaitingOperation | undefined {
    const counts = countByProject(this.#running);
    const before = (a: WaitingOperation, b: WaitingOperation): number =>
      Number(a.kind === "backup") - Number(b.kind === "backup") ||
      (counts.get(keyOf(a)) ?? 0) - (counts.get(keyOf(b)) ?? 0) ||
      this.#served.of(keyOf(a)) - this.#served.of(keyOf(b));
    // The first of equals stays: candidates are in the order in which they came.
    const [first, ...others] = candidates;
    return others.reduce((best, one) => (best !== undefined && before(one, best) < 0 ? one : best), first);
  }
}

/** When each project was last served, by kind; what begins in this look is the most recent. */
class Recency {
  readonly #atMs: Map<string, number>;
  #latest: number;

  constructor(served: readonly Served[]) {
    this.#atMs = new Map(served.map((one) => [keyOf(one), one.atMs]));
    this.#latest = Math.max(0, ...this.#atMs.values());
  }

  of(key: string): number {
    return this.#atMs.get(key) ?? Number.NEGATIVE_INFINITY;
  }

  note(operation: WaitingOperation): void {
    this.#latest += 1;
    this.#atMs.set(keyOf(operation), this.#latest);
  }
}

const timeOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;

const rankOf = ({ kind, createdAtMs }: WaitingOperation): number =>
  kind === "restore" ? createdAtMs - headStartMs : createdAtMs;

const isQueued = ({ kind }: RunningOperation): boolean => kind === "backup" || kind === "restore";

const keyOf = ({ kind, projectId }: { readonly kind: OperationKind; readonly projectId: string }): string =>
  `${kind} ${projectId}`;

function countByProject(running: readonly RunningOperation[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const one of running) addOne(counts, keyOf(one));
  return counts;
}

function addOne(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
