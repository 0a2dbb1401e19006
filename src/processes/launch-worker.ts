import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { Failure } from "../core/failure.ts";
import type {
  LaunchOptions,
  RunningWorker,
  WorkerEnd,
  WorkerLauncher,
  WorkerOutput,
} from "../core/ports/worker-launcher.ts";
import { adoptWorker } from "./adopt-worker.ts";
import { identifyProcess, killGroup } from "./process-identity.ts";
import { isAdoptable, parseLine, readLines, readTail } from "./worker-lines.ts";

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

/** Kept of a crashing worker's standard error. */
const errorOutputLimit = 8_192;
const defaultStopGraceMs = 10_000;

/**
 * Workers as child processes. Protocol: the task is the first line of standard input, every further line
 * renews the lease, its end means that the parent is gone; messages are JSON lines on descriptor 3. A line
 * `{"handOver":"/path"}` is answered with `{"adoptable":true}`: from then on the same is spoken at that socket.
 *
 * A worker leads its own session and process group, so that a terminal's Ctrl-C reaches only the process
 * that people talk to, and so that everything it started can be ended with it.
 */
export function createWorkerLauncher<Task, Message>(program: WorkerProgram): WorkerLauncher<Task, Message> {
  let waiting: ChildProcess | undefined;
  return {
    launch: async (task, options) => {
      const prepared = options.output === undefined ? waiting : undefined;
      if (prepared !== undefined) waiting = undefined;
      const usable =
        prepared?.pid !== undefined && prepared.exitCode === null && prepared.signalCode === null;
      const child = usable ? prepared : startProgram(program, [], options.output);
      if (usable) holdOn(child, true);
      else await started(child, program.command[0]);
      return follow(child, task, options, program);
    },
    adopt: async (identity, { onMessage }) =>
      await adoptWorker(identity, onMessage, program.stopGraceMs ?? defaultStopGraceMs),
    expect: (taskKind, places) => {
      if (waiting !== undefined || program.expecting === undefined) return;
      waiting = startProgram(program, program.expecting(taskKind, places));
      // One that cannot be started is noticed by the launch, which then starts another.
      waiting.on("error", () => undefined);
      holdOn(waiting, false);
    },
  };
}

function startProgram(program: WorkerProgram, more: readonly string[], output?: WorkerOutput): ChildProcess {
  const [command, ...args] = program.command;
  return spawn(command, [...args, ...more], {
    stdio: ["pipe", typeof output === "function" ? "pipe" : (output ?? "ignore"), "pipe", "pipe"],
    env: { ...program.env },
    detached: true,
  });
}

/**
 * Whether the child keeps this process from ending. One that waits for a task does not: it ends by itself
 * when its standard input does, which is when this process ends, in whatever way.
 */
function holdOn(child: ChildProcess, hold: boolean): void {
  const streams = [child.stdin, child.stderr, child.stdio[3]].filter((one) => one instanceof Socket);
  for (const handle of [child, ...streams]) {
    if (hold) handle.ref();
    else handle.unref();
  }
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

function follow<Message>(
  child: ChildProcess,
  task: unknown,
  options: LaunchOptions<Message>,
  { stopGraceMs = defaultStopGraceMs, socketFolder }: WorkerProgram,
): RunningWorker {
  const pid = child.pid ?? 0;
  const identity = identifyProcess(pid);
  const send = (line: unknown) => child.stdin?.write(`${JSON.stringify(line)}\n`);
  // A worker that is gone is seen by its exit, not by a broken pipe.
  child.on("error", () => undefined);
  child.stdin?.on("error", () => undefined);
  send(task);
  const handedOver = Promise.withResolvers<void>();
  let isHandedOver = false;
  const messages = readLines(child.stdio[3] as Readable, (line) => {
    const message = parseLine(line);
    if (message === undefined) killGroup(pid);
    else if (isAdoptable(message)) handedOver.resolve();
    else return options.onMessage(message as Message);
  });
  const errorOutput = readTail(child.stderr, errorOutputLimit);
  const output = handOn(child.stdout, options.output);
  const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once("exit", (code, signal) => {
      if (isHandedOver) return;
      // What it started and did not end (it was killed itself) must not go on.
      killGroup(pid);
      resolve({ code, signal });
    });
  });
  const ended = Promise.all([exited, messages, errorOutput, output]).then(
    ([{ code, signal }, , text]): WorkerEnd => {
      child.stdin?.destroy();
      return {
        ...(code === null ? {} : { exitCode: code }),
        ...(signal === null ? {} : { signal }),
        errorOutput: text,
      };
    },
  );

  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    child.kill("SIGTERM");
    const timer = setTimeout(() => killGroup(pid), stopGraceMs);
    void ended.then(() => clearTimeout(timer));
  };
  return {
    identity,
    renewLease: () => void send({ lease: true }),
    stop,
    kill: () => killGroup(pid),
    handOver: async () => {
      if (socketFolder === undefined || stopping) return undefined;
      const adoptAt = placeOfSocket(socketFolder, pid);
      send({ handOver: adoptAt });
      isHandedOver = await isInTime(handedOver.promise, ended);
      if (!isHandedOver) return undefined;
      letGo(child);
      return JSON.stringify({ ...JSON.parse(identity), adoptAt });
    },
    ended,
  };
}

/** How long a worker may take to answer that it is ready to be adopted. */
const handOverMs = 5_000;

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
async function isInTime(answered: Promise<void>, ended: Promise<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), handOverMs);
  const answer = await Promise.race([answered.then(() => true), ended.then(() => false), late.promise]);
  clearTimeout(timer);
  return answer;
}

/** Nothing of it keeps this process from ending, or ends with it. */
function letGo(child: ChildProcess): void {
  holdOn(child, false);
  for (const stream of [child.stdin, child.stderr, child.stdio[3]]) (stream as Socket | null)?.destroy();
}
