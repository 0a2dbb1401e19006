import type { Waiting } from "../contract/service.ts";
import { Failure, type FailureRecord } from "../core/failure.ts";
import { advance, type Steps } from "../core/operation/advance.ts";
import type { AttemptObservation } from "../core/operation/attempts.ts";
import { countSpentAttempts, type RetryBudget } from "../core/operation/decide-retry.ts";
import {
  handedOverBy,
  type LogLine,
  type Operation,
  type OperationTask,
} from "../core/operation/operation.ts";
import type { NewTask, TaskChange, TaskKey } from "../core/ports/catalog.ts";
import { holdFound } from "./hold-places.ts";
import {
  makeLogLine,
  type EngineParts,
  type EventListener,
  type HeldOperation,
  type TaskRequest,
} from "./parts.ts";
import { adoptWorker, startWorker, type WorkerRun } from "./run-worker.ts";
import { isAway, SessionRecords } from "./session-records.ts";
import { noteStoreAnswers, noteStoreWait } from "./store-waits.ts";
import { WatchedTask } from "./watched-task.ts";

/** Of one attempt, by name. */
export type Tasks = ReadonlyMap<string, OperationTask>;

/** What a step sees of its operation. */
export interface SessionView {
  readonly operation: Operation;
  /** Of the current attempt. */
  readonly tasks: Tasks;
  /** What the attempts so far have cost. */
  readonly budget: RetryBudget;
}

/** A running worker, and what it said of its task. */
interface FollowedWorker {
  readonly worker: WorkerRun;
  readonly watched: WatchedTask;
}

/** How often a request to cancel is looked for. */
const cancelPollMs = 1_000;

/**
 * One process's hold on one operation: it renews the lease, starts and follows workers, records what they
 * say, and notices when the operation was given to somebody else. Everything it writes asks for the
 * lease, so a session that comes back from the dead can change nothing.
 */
export class OperationSession implements HeldOperation {
  readonly operationId: string;
  /** It took the operation over from a process that died. */
  readonly ownerDied: boolean;
  readonly #parts: EngineParts;
  readonly #owner: string;
  readonly #emit: EventListener;
  readonly #workers = new Map<string, FollowedWorker>();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #records: SessionRecords;
  #ended: Failure | undefined;
  #cancelRequested = false;
  /** What this process was asked to do with it, because it ends. */
  #leaving: "hand-over" | "give-back" | undefined;
  #isLeft = false;
  /** Nothing it does can spoil what another attempt does: it may go on while nobody can say who has it. */
  #isFenced = false;
  #isRenewing = false;
  #changed = false;
  #wake: (() => void) | undefined;
  /** By the wall clock, which a timer does not follow when it jumps. */
  #wakeAtMs = Infinity;

  constructor(
    parts: EngineParts,
    { id, leaseOwner }: Pick<Operation, "id" | "leaseOwner">,
    options: { readonly onEvent: EventListener; readonly ownerDied?: boolean },
  ) {
    this.operationId = id;
    this.ownerDied = options.ownerDied ?? false;
    this.#parts = parts;
    this.#owner = leaseOwner;
    this.#emit = options.onEvent;
    this.#records = new SessionRecords(
      () => this.#patienceMs(),
      (error) => void this.#end(error),
    );
  }

  /**
   * While the catalog is away workers go on; of what is not fenced as long as a lease lasts: after that somebody else may
   * have the operation.
   */
  #patienceMs(): number {
    return this.#isFenced ? Number.POSITIVE_INFINITY : this.#parts.leaseSeconds * 1000;
  }

  /** Holds the lease until `close`. */
  open(signal?: AbortSignal): void {
    this.#parts.held.add(this);
    const renewMs = (this.#parts.leaseSeconds * 1000) / 6;
    this.#timers.push(setInterval(() => void this.#renew(), renewMs));
    this.#timers.push(setInterval(() => this.#lookForStalls(), Math.min(cancelPollMs, renewMs)));
    this.#timers.push(setInterval(() => void this.#lookForCancel(), Math.min(cancelPollMs, renewMs)));
    if (signal?.aborted === true) this.requestCancel();
    signal?.addEventListener("abort", () => this.requestCancel(), { once: true });
  }

  /** Ends what still runs (there is something only when the session failed) and waits for the records. */
  async close(): Promise<void> {
    this.#parts.held.delete(this);
    for (const timer of this.#timers) clearInterval(timer);
    if (!this.#isLeft) await this.stopTasks();
  }

  handOver(): void {
    this.#leaving ??= "hand-over";
    this.#notifyChange();
  }

  giveBack(): void {
    this.#leaving ??= "give-back";
    this.#notifyChange();
  }

  get cancelRequested(): boolean {
    return this.#cancelRequested;
  }

  requestCancel(): void {
    if (this.#cancelRequested) return;
    this.#cancelRequested = true;
    // For other terminals; this process goes by its own flag.
    void this.#parts.catalog.requestCancel(this.operationId).catch(() => undefined);
    this.#notifyChange();
  }

  async read(): Promise<SessionView> {
    await this.#records.settled();
    this.#throwIfEnded();
    const { catalog } = this.#parts;
    const operation = await this.#records.patiently(async () => await catalog.getOperation(this.operationId));
    if (operation === undefined || operation.leaseOwner !== this.#owner || operation.end !== undefined) {
      throw this.#end(takenOver(this.operationId));
    }
    this.#isFenced = operation.kind === "backup" || operation.kind === "copy";
    const tasks = await this.#records.patiently(async () => await catalog.listTasks(this.operationId));
    const current = tasks.filter((task) => task.attempt === operation.attempt);
    return {
      operation,
      tasks: new Map(current.map((task) => [task.name, task])),
      budget: {
        operationId: this.operationId,
        attempt: operation.attempt,
        spentAttempts: countSpentAttempts(operation.attempt, tasks),
        createdAtMs: operation.createdAtMs,
        nowMs: this.#parts.clock.nowMs(),
        isQueued: operation.admittedAtMs !== undefined,
      },
    };
  }

  /** What every decision about an attempt looks at. */
  observe({ operation, tasks, budget }: SessionView): AttemptObservation {
    const { notBeforeMs, cancelRequested } = operation;
    return {
      budget,
      ...(notBeforeMs === undefined ? {} : { notBeforeMs }),
      cancelRequested: cancelRequested || this.#cancelRequested,
      ownerDied: this.ownerDied,
      tasks: Object.fromEntries(tasks),
    };
  }

  /**
   * Takes the operation to its end, or until this process is to leave it to another one. Rejects with `interrupted` when
   * it was taken over.
   */
  async run<Observation, Action>(steps: Steps<Observation, Action>): Promise<void> {
    for (;;) {
      if (this.#leaving !== undefined && (await this.#leave(this.#leaving))) return;
      // An advance begins with a look: it may be made again.
      const result = await this.#records.patiently(async () => await advance(steps));
      if (result.type === "done" || result.type === "failed") return;
      if (result.type === "retry") {
        if (await this.#tryLater(result.failure, result.afterMs)) return;
      } else {
        await this.#waitForChange(result.untilMs);
      }
      this.#throwIfEnded();
    }
  }

  /**
   * Begins the next attempt, here or, where the operation came from there, in the queue: it holds no place while it
   * waits. True: it is the queue's again.
   */
  async #tryLater(failure: FailureRecord, afterMs: number): Promise<boolean> {
    const { operation, budget } = await this.read();
    const { catalog, clock, queue } = this.#parts;
    const untilMs = Math.max(clock.nowMs() + afterMs, await noteStoreWait(this.#parts, failure));
    const seconds = Math.max(0, Math.ceil((untilMs - clock.nowMs()) / 1000));
    this.log("warn", `${failure.message} Trying again in ${seconds} s.`);
    await this.#records.settled();
    const isDone = budget.isQueued
      ? await catalog.returnToQueue(this.operationId, this.#owner, untilMs)
      : await catalog.startAttempt(this.operationId, this.#owner, operation.attempt + 1, untilMs);
    if (!isDone) throw this.#end(takenOver(this.operationId));
    if (budget.isQueued) queue.ring();
    return budget.isQueued;
  }

  /**
   * Starts a worker for the named task of the attempt. Does nothing when there is one already. A request that cannot be
   * made is the task's failure. `stays`: its process is to do the operation's next task too; it must leave nothing
   * behind that works on.
   */
  async startTask(
    attempt: number,
    name: string,
    request: TaskRequest | (() => Promise<TaskRequest>),
    stays = false,
  ): Promise<void> {
    const key: TaskKey = { operationId: this.operationId, attempt, name };
    const startedAtMs = this.#parts.clock.nowMs();
    if (!(await this.#claimTask({ ...key, startedAtMs }))) return;
    const watched = this.#watch(key);
    try {
      const task = typeof request === "function" ? await request() : request;
      const series = { name: this.operationId, stays };
      const worker = await startWorker(this.#parts, task, { onMessage: watched.onMessage, series });
      this.#follow(key, worker, watched);
    } catch (error) {
      const failure = Failure.from(error).toRecord();
      this.#record(key, { state: "failed", failure, finishedAtMs: this.#parts.clock.nowMs() });
      this.#notifyChange();
    }
  }

  /** Asks the worker of one task to stop and waits until it is gone and recorded. Idempotent. */
  async stopTask(name: string): Promise<void> {
    const { worker } = this.#workers.get(name) ?? {};
    worker?.stop();
    await worker?.outcome;
    await this.#records.settled();
  }

  /** Whether the task is to be started. One that was noted while the catalog went away is nobody else's. */
  async #claimTask(task: NewTask): Promise<boolean> {
    let isUnsure = false;
    const isNew = await this.#records.patiently(async () => {
      try {
        return await this.#parts.catalog.startTask(task, this.#owner);
      } catch (error) {
        isUnsure ||= isAway(error);
        throw error;
      }
    });
    if (isUnsure && !isNew) await this.read();
    return isNew || isUnsure;
  }

  /** Goes on with the worker of a task that another process handed over; one that is gone has left its task lost. */
  async adoptTask(task: OperationTask): Promise<void> {
    const key: TaskKey = { operationId: this.operationId, attempt: task.attempt, name: task.name };
    const watched = this.#watch(key);
    try {
      watched.resume(task.progress);
      const worker = await adoptWorker(this.#parts, task.name, task.worker ?? "", watched.onMessage);
      this.#follow(key, worker, watched);
    } catch (error) {
      // It may be alive and deaf.
      if (task.worker !== undefined) this.#parts.processes.killWorker(task.worker);
      const failure = Failure.from(error).toRecord();
      this.#record(key, { state: "lost", failure, finishedAtMs: this.#parts.clock.nowMs() });
    }
  }

  #follow(key: TaskKey, worker: WorkerRun, watched: WatchedTask): void {
    this.#workers.set(key.name, { worker, watched });
    this.#record(key, { worker: worker.identity });
    void worker.outcome.then((outcome) => {
      this.#workers.delete(key.name);
      const end = watched.endOf(outcome, this.#isFenced && watched.isOver);
      const finishedAtMs = this.#parts.clock.nowMs();
      const held = { id: this.operationId, leaseOwner: this.#owner };
      this.#records.write(async () => {
        const known = await holdFound(this.#parts, held, end);
        await this.#update(key, { ...known, ...watched.latest, finishedAtMs });
      });
      if (outcome.state === "done")
        this.#records.writeIfPossible(async () => await noteStoreAnswers(this.#parts, this.operationId));
      this.#notifyChange();
    });
  }

  /** True: it is another process's now. */
  async #leave(how: "hand-over" | "give-back"): Promise<boolean> {
    const { operation, budget } = await this.read();
    if (how === "hand-over") return await this.#leaveWithWorkers(operation.attempt);
    // What a restore has begun cannot simply be begun again.
    if (!budget.isQueued || operation.kind !== "backup") return false;
    await this.stopTasks();
    this.#isLeft = await this.#parts.catalog.returnToQueue(this.operationId, this.#owner);
    return this.#isLeft;
  }

  /** A worker that cannot go on alone ends with this process, and whoever comes finds its task lost. */
  async #leaveWithWorkers(attempt: number): Promise<boolean> {
    const { catalog, leaseSeconds } = this.#parts;
    for (const timer of this.#timers) clearInterval(timer);
    for (const [name, { worker }] of this.#workers) {
      const identity = await worker.handOver();
      if (identity === undefined) continue;
      // From here on nothing that happens to this process may end it.
      this.#workers.delete(name);
      const key: TaskKey = { operationId: this.operationId, attempt, name };
      this.#record(key, { worker: identity });
    }
    await this.#records.settled();
    this.#throwIfEnded();
    const lease = { seconds: leaseSeconds };
    this.#isLeft = await catalog.takeOver(this.operationId, this.#owner, handedOverBy(this.#owner), lease);
    return this.#isLeft;
  }

  /** Asks every running worker to stop and waits until all are gone and recorded. */
  async stopTasks(): Promise<void> {
    const workers = [...this.#workers.values()];
    for (const { worker } of workers) worker.stop();
    await Promise.all(workers.map(({ worker }) => worker.outcome));
    await this.#records.settled();
  }

  /** Records the operation's end and tells it. */
  async finish({ outcome, failure }: Parameters<Steps<unknown, unknown>["finish"]>[0]): Promise<void> {
    const finishedAtMs = this.#parts.clock.nowMs();
    const end = { finishedAtMs, outcome, ...(failure === undefined ? {} : { failure }) };
    await this.#parts.catalog.finishOperation(this.operationId, this.#owner, end);
    this.emit({ type: "state", status: outcome });
  }

  emit(event: Parameters<EventListener>[0]): void {
    this.#emit(event);
  }

  log(level: LogLine["level"], message: string): void {
    const line = makeLogLine(this.#parts, level, message);
    this.#emit({ type: "log", line });
    this.#records.writeIfPossible(() => this.#parts.catalog.appendLog(this.operationId, line));
  }

  get isStalled(): boolean {
    return [...this.#workers.values()].some(({ watched }) => watched.isStalled);
  }

  /**
   * Says that a task moves nothing, and ends the worker when it lasts, where the task may be tried again. Others may be
   * at something that takes its time: the index of a large table.
   */
  #lookForStalls(): void {
    for (const { worker, watched } of this.#workers.values()) {
      if (this.#isFenced && watched.isOver) worker.kill();
      watched.tellStall(this.#parts.clock.nowMs());
    }
  }

  /** Follows what a worker of the task says. */
  #watch(key: TaskKey): WatchedTask {
    return new WatchedTask(key.name, this.#parts.stallMs, {
      record: (change) => this.#record(key, change),
      onProgress: (progress) => this.#emit({ type: "progress", progress }),
      log: (level, message) => this.log(level, message),
      onChange: () => this.#notifyChange(),
      onStall: (since) => {
        const message = `${this.operationId} is stalled: its ${key.name} task moves no byte since ${since}.`;
        this.log("warn", message);
        this.#parts.notice(makeLogLine(this.#parts, "warn", message));
      },
    });
  }

  #record(key: TaskKey, change: TaskChange): void {
    this.#records.write(async () => await this.#update(key, change));
  }

  async #update(key: TaskKey, change: TaskChange): Promise<void> {
    if (!(await this.#parts.catalog.updateTask(key, this.#owner, change)))
      this.#end(takenOver(this.operationId));
  }

  async #renew(): Promise<void> {
    // The catalog keeps a question open for longer than that while it is away.
    if (this.#isRenewing) return this.#outliveCatalog();
    this.#isRenewing = true;
    try {
      const { catalog, leaseSeconds } = this.#parts;
      const { held } = await catalog.renewLease(this.operationId, this.#owner, leaseSeconds);
      if (held) this.#renewWorkers();
      else this.#end(takenOver(this.operationId));
    } catch (error) {
      if (isAway(error)) this.#outliveCatalog();
    } finally {
      this.#isRenewing = false;
    }
  }

  /** What is not fenced stops by itself when it lasts: another process may do the same to the same target. */
  #outliveCatalog(): void {
    this.#parts.leaseJudge.noteAway();
    if (this.#isFenced) this.#renewWorkers();
  }

  #renewWorkers(): void {
    for (const { worker } of this.#workers.values()) worker.renewLease();
  }

  async #lookForCancel(): Promise<void> {
    if (this.#parts.clock.nowMs() >= this.#wakeAtMs) this.#wake?.();
    try {
      const operation = await this.#parts.catalog.getOperation(this.operationId);
      if (operation?.cancelRequested !== true || this.#cancelRequested) return;
      this.#cancelRequested = true;
      this.#notifyChange();
    } catch {
      // The next look may succeed.
    }
  }

  /** Nothing may be written any more; workers end at once. The failure is to be thrown. */
  #end(failure: Failure): Failure {
    this.#ended ??= failure;
    for (const { worker } of this.#workers.values()) worker.kill();
    this.#notifyChange();
    return this.#ended;
  }

  #throwIfEnded(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  #notifyChange(): void {
    this.#changed = true;
    this.#wake?.();
  }

  async #waitForChange(untilMs: number | undefined): Promise<void> {
    if (!this.#changed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#wakeAtMs = untilMs ?? Infinity;
        if (untilMs === undefined) return;
        this.#timers.push(setTimeout(resolve, Math.max(0, untilMs - this.#parts.clock.nowMs()) + 1));
      });
      this.#wake = undefined;
      this.#wakeAtMs = Infinity;
    }
    this.#changed = false;
  }
}

/** Takes an operation that this process has claimed to its end, as somebody waits for it. */
export async function carryOut<Observation, Action>(
  parts: EngineParts,
  operation: Pick<Operation, "id" | "leaseOwner">,
  waiting: Waiting,
  makeSteps: (session: OperationSession) => Steps<Observation, Action>,
): Promise<void> {
  const session = new OperationSession(parts, operation, waiting);
  session.open(waiting.signal);
  try {
    await session.run(makeSteps(session));
  } finally {
    await session.close();
  }
}
const takenOver = (operationId: string): Failure =>
  new Failure(
    "interrupted",
    `${operationId} was not heard of for so long (a stopped process, a sleeping machine) that another lc2 ended it. ` +
      "Run the command again.",
  );
