import type { AdmissionLimits } from "../../src/core/admission/admit-operations.ts";
import { Failure, type FailureRecord } from "../../src/core/failure.ts";
import type { Operation } from "../../src/core/operation/operation.ts";
import type { DefinitionRecord } from "../../src/core/ports/definition-records.ts";
import { checkYear, CapsWatch } from "./check-year.ts";
import { makeSchedules } from "./make-schedules.ts";
import { MemoryCatalog } from "./memory-catalog.ts";
import { Random } from "./random.ts";
import { Crash, SimulatedEngine, type Defects, type Run, type World } from "./simulated-engine.ts";
import { Timeline } from "./timeline.ts";
import type { BackupRequest } from "../../src/engine/run-backup.ts";

export interface YearOptions extends Defects {
  readonly days?: number;
  readonly projects?: number;
}

export interface YearResult {
  readonly seed: number;
  /** Slots that have an answer. */
  readonly slots: number;
  readonly ran: number;
  readonly violations: readonly string[];
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const limits: AdmissionLimits = { backups: 10, restores: 5, perProject: 2 };

type Event =
  | { readonly type: "schedule"; readonly made: DefinitionRecord }
  | { readonly type: "look"; readonly engine: SimulatedEngine; readonly turn: number }
  | { readonly type: "restart"; readonly engine: SimulatedEngine }
  | { readonly type: "crash"; readonly engine: SimulatedEngine }
  | { readonly type: "clock"; readonly engine: SimulatedEngine; readonly aheadMs: number }
  | { readonly type: "end"; readonly run: Run; readonly failure?: FailureRecord }
  | { readonly type: "window"; readonly run: Run };

/**
 * A year of schedules of many projects on two servers: processes that die at any call of the catalog, a catalog and a
 * store that are away, slow and failing backups, clocks that jump. What decides is what decides in the product.
 */
export async function simulateYear(seed: number, options: YearOptions = {}): Promise<YearResult> {
  return await new Year(seed, options).run();
}

class Year {
  readonly #seed: number;
  readonly #random: Random;
  readonly #world: World;
  readonly #timeline = new Timeline<Event>();
  readonly #engines: readonly [SimulatedEngine, SimulatedEngine];
  readonly #turns = new Map<SimulatedEngine, number>();
  readonly #watch: CapsWatch;
  readonly #startMs = Date.UTC(2026, 0, 1);
  /** After this nothing breaks any more: all that is open must come to its end. */
  readonly #calmMs: number;
  readonly #endMs: number;
  readonly #catalogAway: readonly Span[];
  readonly #storeAway: readonly Span[];

  constructor(seed: number, options: YearOptions) {
    const { days = 365, projects = 50 } = options;
    this.#seed = seed;
    this.#random = new Random(seed);
    this.#calmMs = this.#startMs + days * dayMs;
    this.#endMs = this.#calmMs + 6 * dayMs;
    this.#catalogAway = this.#spans(days / 20, 5 * minuteMs, 3 * hourMs);
    this.#storeAway = this.#spans(days / 25, 20 * minuteMs, 10 * hourMs);
    const catalog = new MemoryCatalog();
    for (const made of makeSchedules(this.#random, projects, this.#startMs))
      this.#timeline.add(made.createdAtMs, { type: "schedule", made });
    this.#world = {
      nowMs: this.#startMs,
      random: this.#random,
      catalog,
      runs: new Map(),
      tasks: new Map(),
      isCatalogAway: () => isIn(this.#catalogAway, this.#world.nowMs),
      crashChance: 1 / 20_000,
    };
    const start = (name: string) => new SimulatedEngine(name, this.#world, limits, options);
    this.#engines = [start("one"), start("two")];
    this.#watch = new CapsWatch(limits);
  }

  async run(): Promise<YearResult> {
    for (const engine of this.#engines) {
      this.#wake(engine, this.#startMs);
      this.#plan(engine);
    }
    for (let next = this.#timeline.next(); next !== undefined; next = this.#timeline.next()) {
      if (next.atMs > this.#endMs) break;
      this.#world.nowMs = Math.max(this.#world.nowMs, next.atMs);
      if (next.atMs >= this.#calmMs) this.#world.crashChance = 0;
      await this.#happen(next.event);
    }
    const slots = this.#world.catalog.allSlots();
    const violations = checkYear(this.#world.catalog, { calmMs: this.#calmMs, endMs: this.#endMs });
    const ran = slots.filter(({ outcome }) => outcome === "ran").length;
    return {
      seed: this.#seed,
      slots: slots.length,
      ran,
      violations: [...this.#watch.violations, ...violations],
    };
  }

  /** What befalls a server beyond what it does itself. */
  #plan(engine: SimulatedEngine): void {
    const random = this.#random;
    for (let atMs = this.#startMs; ;) {
      atMs += random.between(2, 30) * dayMs;
      if (atMs >= this.#calmMs) return;
      if (random.chance(0.7)) this.#timeline.add(atMs, { type: "crash", engine });
      else this.#jump(engine, atMs);
    }
  }

  #jump(engine: SimulatedEngine, atMs: number): void {
    const random = this.#random;
    const isFar = random.chance(0.3);
    const aheadMs = Math.round(isFar ? random.between(-2, 40) * dayMs : random.between(-5, 5) * minuteMs);
    this.#timeline.add(atMs, { type: "clock", engine, aheadMs });
    const lasts = isFar ? random.between(1, 60) * minuteMs : random.between(1, 72) * hourMs;
    this.#timeline.add(Math.min(atMs + lasts, this.#calmMs - 1), { type: "clock", engine, aheadMs: 0 });
  }

  #spans(count: number, leastMs: number, mostMs: number): Span[] {
    return Array.from({ length: Math.floor(count) }, () => {
      const fromMs = this.#random.between(this.#startMs, this.#calmMs - mostMs);
      return { fromMs, toMs: fromMs + this.#random.between(leastMs, mostMs) };
    });
  }

  async #happen(event: Event): Promise<void> {
    switch (event.type) {
      case "look":
        if (this.#turns.get(event.engine) === event.turn) await this.#look(event.engine);
        return;
      case "schedule":
        this.#world.catalog.definitions.push(event.made);
        for (const engine of this.#engines) this.#wake(engine, this.#world.nowMs);
        return;
      case "restart":
        event.engine.restart();
        return this.#wake(event.engine, this.#world.nowMs);
      case "crash":
        return this.#die(event.engine);
      case "clock":
        event.engine.aheadMs = event.aheadMs;
        return this.#wake(event.engine, this.#world.nowMs);
      case "end": {
        const { run, failure } = event;
        run.sealed = failure === undefined;
        const files =
          failure === undefined ? { state: "done" as const } : { state: "failed" as const, failure };
        return await this.#settle(run, async () => await run.engine.settle(run, files));
      }
      case "window":
        return await this.#settle(
          event.run,
          async () => await event.run.engine.settle(event.run, { state: "running" }),
        );
    }
  }

  async #look(engine: SimulatedEngine): Promise<void> {
    if (!engine.isAlive) return;
    const { nowMs } = this.#world;
    try {
      const { againAtMs, begun } = await engine.look();
      for (const operation of begun) this.#begin(engine, operation);
      this.#wake(engine, Math.max(againAtMs, nowMs + 1));
    } catch (error) {
      this.#suffer(engine, error);
    }
    this.#watch.look(this.#world.catalog, nowMs);
  }

  /** A session's own act; it lasts as long as its lease when the catalog is away. */
  async #settle(run: Run, act: () => Promise<void>): Promise<void> {
    const { nowMs, runs } = this.#world;
    if (runs.get(run.operation.id) !== run || run.lostAtMs !== undefined) return;
    try {
      await act();
    } catch (error) {
      run.lostAtMs ??= nowMs;
      this.#suffer(run.engine, error);
    }
    // One sees it at once, the other when it looks next.
    this.#wake(this.#random.pick(this.#engines), nowMs + 1000);
  }

  #suffer(engine: SimulatedEngine, error: unknown): void {
    if (error instanceof Crash) return this.#die(engine);
    if (!(error instanceof Failure) || error.code !== "catalog-unreachable") throw error;
    this.#wake(engine, this.#world.nowMs + 5 * minuteMs);
  }

  #die(engine: SimulatedEngine): void {
    if (!engine.isAlive) return;
    engine.isAlive = false;
    const { nowMs, runs, catalog } = this.#world;
    for (const run of runs.values()) if (run.engine === engine) run.lostAtMs ??= nowMs;
    this.#findClaimed(engine, catalog, nowMs);
    const random = this.#random;
    const downMs = random.chance(0.8) ? random.between(5_000, 20 * minuteMs) : random.between(1, 70) * hourMs;
    const restartMs = Math.min(nowMs + downMs, Math.max(this.#calmMs, nowMs + minuteMs));
    this.#timeline.add(restartMs, { type: "restart", engine });
    for (const other of this.#engines) if (other !== engine) this.#wake(other, nowMs + 31_000);
  }

  /** What it had claimed in the very call in which it died: no run of it is known, and its lease runs out. */
  #findClaimed(engine: SimulatedEngine, { open }: MemoryCatalog, nowMs: number): void {
    for (const operation of open.values()) {
      if (operation.leaseOwner === "" || this.#world.runs.has(operation.id)) continue;
      this.#world.runs.set(operation.id, { operation, engine, lostAtMs: nowMs, sealed: false });
    }
  }

  #begin(engine: SimulatedEngine, operation: Operation): void {
    const { nowMs, runs } = this.#world;
    const run: Run = { operation, engine, sealed: false };
    runs.set(operation.id, run);
    this.#watch.begin(operation, engine.nowMs);
    const { endMs, failure } = this.#fate(operation, nowMs);
    this.#timeline.add(endMs, { type: "end", run, ...(failure === undefined ? {} : { failure }) });
    const { stopAtMs } = (operation.spec as BackupRequest).scheduled ?? {};
    if (stopAtMs !== undefined)
      this.#timeline.add(Math.max(nowMs, stopAtMs - engine.aheadMs), { type: "window", run });
  }

  /** How long a backup takes, and how it fails, if it does. */
  #fate(operation: Operation, nowMs: number): { readonly endMs: number; readonly failure?: FailureRecord } {
    const random = this.#random;
    const isSlow = random.chance(0.01);
    const endMs = nowMs + (isSlow ? random.between(5, 50) * hourMs : random.between(1, 40) * minuteMs);
    if (operation.repository.startsWith("s3:")) {
      const outage = this.#storeAway.find(({ fromMs, toMs }) => fromMs < endMs && toMs > nowMs);
      if (outage !== undefined) {
        const store = { store: "s3://backups" };
        const failure = { code: "store-unreachable", message: "Away.", retry: "backoff", ...store } as const;
        return { endMs: Math.max(nowMs + 30_000, outage.fromMs + 30_000), failure };
      }
    }
    if (nowMs >= this.#calmMs || !random.chance(0.03)) return { endMs };
    const retry = random.chance(0.5) ? ("backoff" as const) : ("never" as const);
    return { endMs, failure: { code: "dump-failed", message: "It broke.", retry } };
  }

  #wake(engine: SimulatedEngine, atMs: number): void {
    const turn = (this.#turns.get(engine) ?? 0) + 1;
    const planned = this.#wakes.get(engine);
    // One look is planned at a time: the earliest.
    if (
      planned !== undefined &&
      planned.turn === turn - 1 &&
      planned.atMs <= atMs &&
      planned.atMs > this.#world.nowMs
    )
      return;
    this.#turns.set(engine, turn);
    this.#wakes.set(engine, { turn, atMs });
    this.#timeline.add(atMs, { type: "look", engine, turn });
  }
  readonly #wakes = new Map<SimulatedEngine, { readonly turn: number; readonly atMs: number }>();
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

const isIn = (spans: readonly Span[], ms: number): boolean =>
  spans.some(({ fromMs, toMs }) => fromMs <= ms && ms < toMs);
