import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../core/failure.ts";
import type { RunningWorker, WorkerEnd } from "../core/ports/worker-launcher.ts";
import { killGroup, observeProcess, parseIdentity } from "./process-identity.ts";
import { isAdoptable, parseLine, readLines } from "./worker-lines.ts";

/** How often it is looked whether a worker that is nobody's child is gone. */
const lookMs = 50;

/** Takes on a worker that another process handed over; see `WorkerLauncher.adopt`. */
export async function adoptWorker<Message>(
  identity: string,
  onMessage: (message: Message) => void | Promise<void>,
  stopGraceMs: number,
): Promise<RunningWorker> {
  const { pid = 0, adoptAt } = parseIdentity(identity) ?? {};
  const isThere = (): boolean => observeProcess(identity) === "alive";
  const socket = adoptAt === undefined || !isThere() ? undefined : await reach(adoptAt);
  if (socket === undefined) {
    throw new Failure("worker-died", "The worker that was handed over is not there any more.", {
      retry: "backoff",
    });
  }
  const send = (line: unknown) => socket.write(`${JSON.stringify(line)}\n`);
  const signal = (how: () => void): void => {
    if (isThere()) how();
  };
  const handedOver = Promise.withResolvers<true>();
  let isHandedOver = false;
  const closed = readLines(socket, (line) => {
    const message = parseLine(line);
    if (message === undefined) signal(() => killGroup(pid));
    else if (isAdoptable(message)) handedOver.resolve(true);
    else return onMessage(message as Message);
  });
  const ended = closed.then(async (): Promise<WorkerEnd> => {
    if (isHandedOver) return await new Promise<never>(() => undefined);
    const deadline = performance.now() + stopGraceMs;
    while (isThere() && performance.now() < deadline) await sleep(lookMs);
    signal(() => killGroup(pid));
    return { errorOutput: "" };
  });
  let stopping = false;
  return {
    identity,
    renewLease: () => void send({ lease: true }),
    stop: () => {
      if (stopping) return;
      stopping = true;
      signal(() => process.kill(pid, "SIGTERM"));
      const timer = setTimeout(() => signal(() => killGroup(pid)), stopGraceMs);
      void ended.then(() => clearTimeout(timer));
    },
    kill: () => signal(() => killGroup(pid)),
    handOver: async () => {
      send({ handOver: adoptAt });
      isHandedOver = await Promise.race([handedOver.promise, closed.then(() => false)]);
      if (!isHandedOver) return undefined;
      socket.destroy();
      return identity;
    },
    ended,
  };
}

function reach(place: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(place);
    socket.once("connect", () => {
      socket.on("error", () => undefined);
      resolve(socket);
    });
    socket.once("error", () => resolve(undefined));
  });
}
