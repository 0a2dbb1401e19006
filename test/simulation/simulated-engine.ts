import type { AdmissionLimits } from "../../src/core/admission/admit-operations.ts";
import { returnsToQueue } from "../../src/core/admission/return-to-queue.ts";
import { decideBackup, type BackupObservation } from "../../src/core/backup/decide-backup.ts";
import { Failure, type FailureRecord } from "../../src/core/failure.ts";
import { countSpentAttempts } from "../../src/core/operation/decide-retry.ts";
import {
  nobody,
  type Operation,
  type OperationTask,
  type TaskFacts,
} from "../../src/core/operation/operation.ts";
import { Bell } from "../../src/engine/bell.ts";
import { OperationQueue } from "../../src/engine/operation-queue.ts";
import type { EngineParts } from "../../src/engine/parts.ts";
import type { BackupRequest } from "../../src/engine/run-backup.ts";
import { endExpired, lookAtSchedules, type Look } from "../../src/engine/run-schedules.ts";
import { noteStoreAnswers, noteStoreWait } from "../../src/engine/store-waits.ts";
import type { MemoryCatalog, QueueAndSchedules } from "./memory-catalog.ts";
import type { Random } from "./random.ts";

/** The process is gone in the middle of what it did. */
export class Crash extends Error {}

/** A backup that a process carries out. */
export interface Run {
  readonly operation: Operation;
  readonly engine: SimulatedEngine;
  /** Its process died, or has given it up. */
  lostAtMs?: number;
  /** All of it was done when that happened: there is a sealed backup. */
  sealed: boolean;
}

export interface World {
  /** The true time. */
  nowMs: number;
  readonly random: Random;
  readonly catalog: MemoryCatalog;
  readonly runs: Map<string, Run>;
  readonly tasks: Map<string, OperationTask[]>;
  isCatalogAway(): boolean;
  /** How likely it is that a process dies at a call of the catalog. */
  crashChance: number;
}

/** What a test changes to see that it is noticed. */
export interface Defects {
  readonly wrapCatalog?: (catalog: QueueAndSchedules) => QueueAndSchedules;
  readonly limits?: AdmissionLimits;
}

/** How far apart looks are when nothing happens: what others change is told in this world. */
const pollMs = 6 * 3_600_000;
const leaseMs = 30_000;

/** A server's engine: the real decisions and the real look at schedules, on a clock of its own. Workers take time only. */
export class SimulatedEngine {
  isAlive = true;
  aheadMs = 0;
  #looks = new Map<string, Look>();
  #parts: EngineParts;
  readonly #world: World;
  readonly #makeParts: () => EngineParts;

  constructor(name: string, world: World, limits: AdmissionLimits, defects: Defects) {
    this.#world = world;
    const clock = { nowMs: () => world.nowMs + this.aheadMs };
    const ids = { hex: (length: number) => world.random.hex(length) };
    const wrapped = defects.wrapCatalog?.(world.catalog) ?? world.catalog;
    const catalog = mortal(wrapped, world, this);
    this.#makeParts = () =>
      ({
        catalog,
        clock,
        ids,
        processes: {
          identifyThisProcess: (nonce: string) => `${name} ${nonce}`,
          observe: () => "unknown",
          killWorker: () => undefined,
        },
        queue: new OperationQueue(defects.limits ?? limits, clock),
        scheduleBell: new Bell(),
        leaseSeconds: leaseMs / 1000,
        notice: () => undefined,
      }) as Partial<EngineParts> as EngineParts;
    this.#parts = this.#makeParts();
  }

  get nowMs(): number {
    return this.#parts.clock.nowMs();
  }

  restart(): void {
    this.isAlive = true;
    this.#looks = new Map();
    this.#parts = this.#makeParts();
  }

  /** One round of everything a server does. Returns the true time of the next one. */
  async look(): Promise<{ readonly againAtMs: number; readonly begun: readonly Operation[] }> {
    await this.#tend();
    const againAtMs = await lookAtSchedules(this.#parts, this.#looks, pollMs);
    await endExpired(this.#parts);
    await this.#cancelRequested();
    const begun = await this.#beginNext();
    const { startBeforeMs: first = Infinity } = await this.#firstDeadline();
    return { againAtMs: Math.min(againAtMs, first, this.nowMs + pollMs) - this.aheadMs, begun };
  }

  async #beginNext(): Promise<readonly Operation[]> {
    const { catalog, queue } = this.#parts;
    const waits = (await catalog.observeQueue()).open.some(({ leaseOwner }) => leaseOwner === nobody);
    if (!waits) return [];
    return await catalog.admit(
      (seen) =>
        queue
          .decide(seen)
          .filter(({ admit }) => admit)
          .map(({ id }) => ({
            id,
            owner: this.#parts.processes.identifyThisProcess(this.#parts.ids.hex(8)),
          })),
      { seconds: leaseMs / 1000, nowMs: this.nowMs },
    );
  }

  /** When something that waits may begin for the last time, or for the first. */
  async #firstDeadline(): Promise<{ readonly startBeforeMs?: number }> {
    const { open, storeWaits } = await this.#parts.catalog.observeQueue();
    const waiting = open.filter(({ leaseOwner }) => leaseOwner === nobody);
    const times = waiting.flatMap((operation) => [
      (operation.spec as BackupRequest).scheduled?.startBeforeMs ?? Infinity,
      operation.notBeforeMs ?? Infinity,
    ]);
    const stores = waiting.length === 0 ? [] : storeWaits.map(({ untilMs }) => untilMs);
    const ahead = [...times, ...stores].filter((ms) => ms > this.nowMs);
    return ahead.length === 0 ? {} : { startBeforeMs: Math.min(...ahead) };
  }

  /** The end of a backup's work, a stop of its window or a request to cancel: what the decision makes of it. */
  async settle(run: Run, files: TaskFacts, change: Partial<BackupObservation> = {}): Promise<void> {
    const { catalog } = this.#parts;
    const operation = await catalog.getOperation(run.operation.id);
    if (operation === undefined || operation.end !== undefined) return;
    if (operation.leaseOwner !== run.operation.leaseOwner) return;
    const decision = decideBackup(this.#observe(operation, files, change));
    switch (decision.type) {
      case "act": {
        if (decision.action.do !== "stop")
          throw new Error(`Nothing is begun at an end: ${decision.action.do}`);
        const stopped: FailureRecord = { code: "cancelled", message: "Stopped.", retry: "never" };
        return await this.settle(run, { state: "failed", failure: stopped }, change);
      }
      case "wait":
        return;
      case "retry": {
        this.#keepTask(operation, files);
        const waitMs = await noteStoreWait(this.#parts, decision.failure);
        const laterMs = Math.max(this.nowMs + decision.afterMs, waitMs);
        await catalog.returnToQueue(operation.id, operation.leaseOwner, laterMs);
        break;
      }
      case "complete":
        await noteStoreAnswers(this.#parts, operation.id);
        await this.#finish(operation, "Completed");
        break;
      case "fail":
        await this.#finish(operation, "Failed", decision.failure);
        break;
      case "cancel":
        await this.#finish(operation, "Cancelled", decision.failure);
        break;
    }
    this.#world.runs.delete(operation.id);
  }

  async #finish(
    operation: Operation,
    outcome: "Completed" | "Failed" | "Cancelled",
    failure?: FailureRecord,
  ) {
    const end = { finishedAtMs: this.nowMs, outcome, ...(failure === undefined ? {} : { failure }) };
    await this.#parts.catalog.finishOperation(operation.id, operation.leaseOwner, end);
  }

  #observe(operation: Operation, files: TaskFacts, change: Partial<BackupObservation>): BackupObservation {
    const { scheduled } = operation.spec as BackupRequest;
    const isDone = files.state === "done";
    const done: TaskFacts = { state: "done" };
    return {
      backupId: operation.id,
      wantsDatabase: false,
      wantsFiles: true,
      budget: {
        operationId: operation.id,
        attempt: operation.attempt,
        spentAttempts: countSpentAttempts(operation.attempt, this.#world.tasks.get(operation.id) ?? []),
        createdAtMs: operation.createdAtMs,
        nowMs: this.nowMs,
        isQueued: true,
      },
      cancelRequested: operation.cancelRequested,
      ownerDied: false,
      tasks: { prepare: done, files, ...(isDone ? { seal: done } : {}) },
      hooks: { before: [], after: [] },
      holding: new Set(),
      beginsAgain: false,
      recoveryPointKnown: false,
      ...(scheduled?.stopAtMs === undefined ? {} : { stopAtMs: scheduled.stopAtMs }),
      ...change,
    };
  }

  #keepTask(operation: Operation, files: TaskFacts): void {
    const { id, attempt } = operation;
    const task: OperationTask = { operationId: id, attempt, name: "files", startedAtMs: 0, ...files };
    this.#world.tasks.set(id, [...(this.#world.tasks.get(id) ?? []), task]);
  }

  async #cancelRequested(): Promise<void> {
    for (const run of this.#world.runs.values()) {
      if (run.engine !== this || run.lostAtMs !== undefined) continue;
      const operation = await this.#parts.catalog.getOperation(run.operation.id);
      if (operation?.cancelRequested === true) await this.settle(run, { state: "running" });
    }
  }

  /** Takes over what dead processes left, when their lease has run out. */
  async #tend(): Promise<void> {
    for (const run of this.#world.runs.values()) {
      if (run.lostAtMs === undefined || this.#world.nowMs - run.lostAtMs < leaseMs) continue;
      const { id, leaseOwner } = run.operation;
      const owner = this.#parts.processes.identifyThisProcess(this.#parts.ids.hex(8));
      const lease = { seconds: leaseMs / 1000 };
      if (!(await this.#parts.catalog.takeOver(id, leaseOwner, owner, lease))) {
        this.#world.runs.delete(id);
        continue;
      }
      await this.#adopt({
        operation: { ...run.operation, leaseOwner: owner },
        engine: this,
        sealed: run.sealed,
      });
    }
  }

  async #adopt(run: Run): Promise<void> {
    const { id } = run.operation;
    // Until it is settled: this process may die, too.
    this.#world.runs.set(id, run);
    const operation = await this.#parts.catalog.getOperation(id);
    if (operation === undefined) return;
    const lost: TaskFacts = { state: "lost" };
    const look = { look: { state: "done" } } as const;
    const tasks = run.sealed ? { prepare: lost, files: lost, seal: lost, ...look } : { files: lost };
    const change = { ownerDied: true, tasks, sealed: run.sealed };
    const decision = decideBackup(this.#observe(operation, lost, change));
    const failure = decision.type === "fail" ? decision.failure : undefined;
    if (returnsToQueue(operation, this.#world.tasks.get(id) ?? [], failure)) {
      this.#keepTask(operation, {
        state: "lost",
        failure: Failure.from(new Failure("worker-died", "Lost.")).toRecord(),
      });
      await this.#parts.catalog.returnToQueue(id, operation.leaseOwner);
      this.#world.runs.delete(id);
      return;
    }
    await this.settle(run, lost, change);
  }
}

/** The catalog as a process has it that may die at any call, before it or after it, and that may not reach it. */
function mortal(catalog: QueueAndSchedules, world: World, engine: SimulatedEngine): EngineParts["catalog"] {
  return new Proxy(catalog, {
    get: (target, name) => {
      const method = Reflect.get(target, name) as unknown;
      if (typeof method !== "function") return method;
      return async (...args: unknown[]) => {
        if (!engine.isAlive) throw new Crash();
        if (world.isCatalogAway()) throw new Failure("catalog-unreachable", "The catalog is away.");
        const dies = world.random.chance(world.crashChance);
        if (dies && world.random.chance(0.5)) throw new Crash();
        const answer = (await method.apply(target, args)) as unknown;
        if (dies) throw new Crash();
        return answer;
      };
    },
  }) as EngineParts["catalog"];
}
