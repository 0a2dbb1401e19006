import { spawn, type ChildProcess } from "node:child_process";
import { Failure } from "../core/failure.ts";
import type { LaunchOptions, WorkerLauncher, WorkerOutput } from "../core/ports/worker-launcher.ts";
import { adoptWorker } from "./adopt-worker.ts";
import { ChildWorker } from "./child-worker.ts";

export interface WorkerProgram {
  /** Program and its first arguments, e.g. node and the worker's entry file. */
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From a polite request to SIGKILL. */
  readonly stopGraceMs?: number;
  /** Where workers that are handed over are found; made when the first one is. Absent: none can be. */
  readonly socketFolder?: string;
  /** Last arguments of one that is started before its task is known; absent: none is. */
  readonly expecting?: (taskKind: string, places: readonly string[]) => readonly string[];
}

const defaultStopGraceMs = 10_000;
/** How long a free worker is kept for the next task of its series. */
const stayMs = 10_000;

/**
 * Workers as child processes. Protocol: the task is the first line of standard input, every further line
 * renews the lease, its end means that the parent is gone; messages are JSON lines on descriptor 3. A line
 * `{"handOver":"/path"}` is answered with `{"adoptable":true}`: from then on the same is spoken at that socket.
 * After a line `{"stay":true}` the worker says `{"free":true}` where it would end, and takes another task.
 *
 * A worker leads its own session and process group, so that a terminal's Ctrl-C reaches only the process
 * that people talk to, and so that everything it started can be ended with it.
 */
export function createWorkerLauncher<Task, Message>(program: WorkerProgram): WorkerLauncher<Task, Message> {
  const stopGraceMs = program.stopGraceMs ?? defaultStopGraceMs;
  const childOptions = { stopGraceMs, socketFolder: program.socketFolder };
  const start = (more: readonly string[], output?: WorkerOutput): ChildWorker<Message> =>
    new ChildWorker(startProgram(program, more, output), childOptions);
  const free = new FreeWorkers<Message>();
  let expected: ChildWorker<Message> | undefined;

  /** One that is there already, if it may be used. */
  const takePrepared = ({ output, series }: LaunchOptions<Message>): ChildWorker<Message> | undefined => {
    if (output !== undefined) return undefined;
    const stayed = series === undefined ? undefined : free.take(series.name);
    if (stayed?.isUsable === true) return stayed;
    const prepared = expected;
    expected = undefined;
    return prepared?.isUsable === true ? prepared : undefined;
  };

  return {
    launch: async (task, options) => {
      let worker = takePrepared(options);
      if (worker === undefined) {
        worker = start([], options.output);
        await started(worker.child, program.command[0]);
      }
      const { series } = options;
      const chosen = worker;
      const onFree = series?.stays === true ? () => free.keep(series.name, chosen) : undefined;
      return chosen.begin(task, options, onFree);
    },
    adopt: async (identity, { onMessage }) => await adoptWorker(identity, onMessage, stopGraceMs),
    expect: (taskKind, places) => {
      if (expected !== undefined || program.expecting === undefined) return;
      // One that cannot be started is noticed by the launch, which then starts another.
      expected = start(program.expecting(taskKind, places));
      expected.hold(false);
    },
  };
}

/** Workers that have done a task and wait for the next of their series, for some time. */
class FreeWorkers<Message> {
  readonly #bySeries = new Map<string, { worker: ChildWorker<Message>; timer: NodeJS.Timeout }>();

  keep(series: string, worker: ChildWorker<Message>): void {
    this.take(series)?.dismiss();
    const timer = setTimeout(() => this.take(series)?.dismiss(), stayMs).unref();
    this.#bySeries.set(series, { worker, timer });
  }

  take(series: string): ChildWorker<Message> | undefined {
    const { worker, timer } = this.#bySeries.get(series) ?? {};
    clearTimeout(timer);
    this.#bySeries.delete(series);
    return worker;
  }
}

function startProgram(program: WorkerProgram, more: readonly string[], output?: WorkerOutput): ChildProcess {
  const [command, ...args] = program.command;
  return spawn(command, [...args, ...more], {
    stdio: ["pipe", typeof output === "function" ? "pipe" : (output ?? "ignore"), "pipe", "pipe"],
    env: { ...program.env },
    detached: true,
  });
}

function started(child: ChildProcess, command: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) => {
      reject(
        new Failure("worker-died", `The worker ${command} cannot be started: ${cause.message}.`, { cause }),
      );
    });
  });
}
