import type { ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { LaunchOptions, RunningWorker, WorkerEnd, WorkerOutput } from "../core/ports/worker-launcher.ts";
import { identifyProcess, killGroup, observeProcess } from "./process-identity.ts";
import { isAdoptable, isFree, parseLine, readLines, readTail } from "./worker-lines.ts";

export interface ChildWorkerOptions {
  readonly stopGraceMs: number;
  /** Where workers that are handed over are found; made when the first one is. Absent: none can be. */
  readonly socketFolder?: string | undefined;
}

/** Kept of a crashing worker's standard error. */
const errorOutputLimit = 8_192;
/** How long a worker may take to answer that it is ready to be adopted. */
const handOverMs = 5_000;

/** One task in the process. */
interface Run<Message> {
  readonly onMessage: LaunchOptions<Message>["onMessage"];
  readonly ended: PromiseWithResolvers<WorkerEnd>;
  /** What the task leaves on standard output is handed on. */
  readonly output: Promise<void>;
  readonly onFree: (() => void) | undefined;
  isOver: boolean;
  isStopping: boolean;
  handedOver?: PromiseWithResolvers<true>;
}

/** A worker's process: it does one task, or some of a series, one after the other. */
export class ChildWorker<Message> {
  readonly child: ChildProcess;
  readonly #options: ChildWorkerOptions;
  readonly #errorOutput: Promise<string>;
  #messages: Promise<void> | undefined;
  #run: Run<Message> | undefined;
  #isHandedOver = false;

  constructor(child: ChildProcess, options: ChildWorkerOptions) {
    this.child = child;
    this.#options = options;
    this.#errorOutput = readTail(child.stderr, errorOutputLimit);
    // A worker that is gone is seen by its exit, not by a broken pipe.
    child.on("error", () => undefined);
    child.stdin?.on("error", () => undefined);
    child.once("exit", (code, signal) => {
      if (!this.#isHandedOver) void this.#endWith(code, signal);
    });
  }

  /** It can be given a task. Of one that has just died its parent may not have heard yet. */
  get isUsable(): boolean {
    const { pid, exitCode, signalCode } = this.child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return false;
    return (this.#run?.isOver ?? true) && observeProcess(identifyProcess(pid)) !== "dead";
  }

  /** `onFree`: it stays when it has done the task, and is told of then; not given: it ends with it. */
  begin(task: unknown, options: LaunchOptions<Message>, onFree?: () => void): RunningWorker {
    const { child } = this;
    const pid = child.pid ?? 0;
    const identity = identifyProcess(pid);
    const run: Run<Message> = {
      onMessage: options.onMessage,
      ended: Promise.withResolvers(),
      output: handOn(child.stdout, options.output),
      onFree,
      isOver: false,
      isStopping: false,
    };
    this.#run = run;
    this.hold(true);
    this.#send(task);
    if (onFree !== undefined) this.#send({ stay: true });
    this.#messages ??= readLines(child.stdio[3] as Readable, (line) => this.#hear(line));
    // Of a task that is over its process is another one's.
    const whileRunning = (act: () => void): void => {
      if (!run.isOver) act();
    };
    return {
      identity,
      renewLease: () => whileRunning(() => this.#send({ lease: true })),
      stop: () => whileRunning(() => this.#stop(run)),
      kill: () => whileRunning(() => killGroup(pid)),
      handOver: async () => (run.isOver ? undefined : await this.#handOver(run, identity)),
      ended: run.ended.promise,
    };
  }

  /**
   * Whether the child keeps this process from ending. One that waits for a task does not: it ends by itself
   * when its standard input does, which is when this process ends, in whatever way.
   */
  hold(hold: boolean): void {
    const { child } = this;
    const streams = [child.stdin, child.stderr, child.stdio[3]].filter((one) => one instanceof Socket);
    for (const handle of [child, ...streams]) {
      if (hold) handle.ref();
      else handle.unref();
    }
  }

  /** Ends one that waits for a task. */
  dismiss(): void {
    this.child.stdin?.destroy();
  }

  #send(line: unknown): void {
    this.child.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  #hear(line: string): void | Promise<void> {
    const message = parseLine(line);
    const run = this.#run;
    if (message === undefined) killGroup(this.child.pid ?? 0);
    else if (isAdoptable(message)) run?.handedOver?.resolve(true);
    else if (isFree(message)) this.#free();
    else return run?.onMessage(message as Message);
  }

  /** One that was told to stop, or to go on alone, in the same moment, does no other task. */
  #free(): void {
    const run = this.#run;
    if (run === undefined || run.isOver) return;
    this.#endRun(run, { exitCode: 0, errorOutput: "" });
    this.hold(false);
    if (run.isStopping || run.handedOver !== undefined) this.dismiss();
    else run.onFree?.();
  }

  async #endWith(code: number | null, signal: string | null): Promise<void> {
    // What it started and did not end (it was killed itself) must not go on.
    killGroup(this.child.pid ?? 0);
    const run = this.#run;
    if (run === undefined) return;
    const [errorOutput] = await Promise.all([this.#errorOutput, this.#messages, run.output]);
    this.child.stdin?.destroy();
    this.#endRun(run, {
      ...(code === null ? {} : { exitCode: code }),
      ...(signal === null ? {} : { signal }),
      errorOutput,
    });
  }

  #endRun(run: Run<Message>, end: WorkerEnd): void {
    run.isOver = true;
    run.ended.resolve(end);
  }

  #stop(run: Run<Message>): void {
    if (run.isStopping) return;
    run.isStopping = true;
    this.child.kill("SIGTERM");
    const timer = setTimeout(() => killGroup(this.child.pid ?? 0), this.#options.stopGraceMs);
    void run.ended.promise.then(() => clearTimeout(timer));
  }

  async #handOver(run: Run<Message>, identity: string): Promise<string | undefined> {
    const { socketFolder } = this.#options;
    if (socketFolder === undefined || run.isStopping) return undefined;
    const adoptAt = placeOfSocket(socketFolder, this.child.pid ?? 0);
    run.handedOver = Promise.withResolvers();
    this.#send({ handOver: adoptAt });
    this.#isHandedOver = await isInTime(run.handedOver.promise, run.ended.promise);
    if (!this.#isHandedOver) return undefined;
    this.#letGo();
    return JSON.stringify({ ...JSON.parse(identity), adoptAt });
  }

  /** Nothing of it keeps this process from ending, or ends with it. */
  #letGo(): void {
    this.hold(false);
    const { stdin, stderr, stdio } = this.child;
    for (const stream of [stdin, stderr, stdio[3]]) (stream as Socket | null)?.destroy();
  }
}

function placeOfSocket(folder: string, pid: number): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return join(folder, `${pid}.sock`);
}

/** Reads no further than `output` takes; a worker whose output nobody takes any more finds its pipe broken. */
async function handOn(stream: Readable | null, output: WorkerOutput | undefined): Promise<void> {
  if (stream === null || typeof output !== "function") return;
  try {
    for await (const piece of stream as AsyncIterable<Uint8Array>) await output(piece);
  } catch {
    stream.destroy();
  }
}

/** Whether it answers before it ends, and within its time. */
async function isInTime(answered: Promise<true>, ended: Promise<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), handOverMs);
  const answer = await Promise.race([answered, ended.then(() => false), late.promise]);
  clearTimeout(timer);
  return answer;
}
