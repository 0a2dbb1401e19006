import { rmSync } from "node:fs";
import { createServer, Socket } from "node:net";
import type { Readable } from "node:stream";
import type { WorkerMessage, WorkerTask } from "../contract/worker-task.ts";

/** Waiting messages above which `drained` waits. */
const messageBacklogBytes = 1 << 20;

/** What a holder of the lease says, a line each: a task, what it may do beside it, or that the lease is renewed. */
interface ParentLine {
  /** Of a task. */
  readonly kind?: string;
  /** To be adopted by another process, at this socket. */
  readonly handOver?: string;
  /** To wait for another task when this one is done. */
  readonly stay?: true;
}

export interface ParentHandlers {
  readonly onTask: (task: WorkerTask) => void;
  readonly onRenewal: () => void;
  /** Whoever held the lease is gone, and nobody is to come. */
  readonly onGone: () => void;
}

/**
 * The line between a worker and whoever holds its lease: standard input and descriptor 3 at first. Handed over, it
 * goes on without anybody, keeps what it has to say, and listens at a socket for the next one, which speaks and hears
 * the same lines there.
 */
export class ParentLink {
  readonly #handlers: ParentHandlers;
  /** Where messages go; absent while nobody holds it. */
  #out: Socket | undefined;
  #kept: WorkerMessage[] = [];
  #place: string | undefined;
  #hasTask = false;
  #stays = false;
  #isHandedOver = false;
  #isGivenUp = false;
  #whenTaken: (() => void) | undefined;

  constructor(handlers: ParentHandlers) {
    this.#handlers = handlers;
    this.#out = new Socket({ fd: 3, readable: false, writable: true });
    // A parent that is gone is noticed by the end of standard input.
    this.#out.on("error", () => undefined);
    // Whoever read it may be gone while this goes on.
    process.stderr.on("error", () => undefined);
    this.#follow(process.stdin);
  }

  send(message: WorkerMessage): void {
    const out = this.#out;
    if (out === undefined) this.#keep(message);
    // Progress is worth nothing later: what cannot be sent now is left out.
    else if (message.type !== "progress" || out.writableLength <= messageBacklogBytes) write(out, message);
  }

  async drained(): Promise<void> {
    const out = this.#out;
    if (out === undefined || out.destroyed || out.writableLength < messageBacklogBytes) return;
    await new Promise<void>((resolve) => {
      out.once("drain", resolve);
      out.once("close", resolve);
    });
  }

  /** Whether it waits for another task, which it says then: it was asked to, and is held by whoever asked. */
  waitForTask(): boolean {
    const out = this.#out;
    if (!this.#stays || this.#place !== undefined || out === undefined || out.destroyed) return false;
    this.#hasTask = false;
    this.#stays = false;
    write(out, { free: true });
    return true;
  }

  /** Resolves when everything was taken, or nobody is there to take it and nobody will come. */
  async end(): Promise<void> {
    if (this.#isHandedOver && !this.#isGivenUp)
      await new Promise<void>((resolve) => (this.#whenTaken = resolve));
    const out = this.#out;
    if (out !== undefined && !out.destroyed) await new Promise<void>((resolve) => out.end(() => resolve()));
    if (this.#place !== undefined) rmSync(this.#place, { force: true });
  }

  /** Nobody is waited for any more. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.#whenTaken?.();
  }

  #keep(message: WorkerMessage): void {
    // Of progress only the last is news.
    if (message.type === "progress") this.#kept = this.#kept.filter(({ type }) => type !== "progress");
    if (message.type !== "alive") this.#kept.push(message);
  }

  #follow(input: Readable): void {
    let rest = "";
    input.setEncoding("utf8");
    input.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#hear(line);
    });
    const onEnd = (): void => {
      if (!this.#isHandedOver) this.#handlers.onGone();
    };
    input.once("end", onEnd);
    input.once("error", onEnd);
  }

  #hear(line: string): void {
    const said = JSON.parse(line) as ParentLine;
    if (said.kind !== undefined) {
      this.#hasTask = true;
      return this.#handlers.onTask(said as WorkerTask);
    }
    // Said before it was known that the task is done.
    if (!this.#hasTask) return;
    this.#handlers.onRenewal();
    if (said.stay === true) this.#stays = true;
    else if (said.handOver !== undefined) this.#listen(said.handOver);
    else this.send({ type: "alive" });
  }

  #listen(place: string): void {
    if (this.#place !== undefined) return this.#letGo();
    rmSync(place, { force: true });
    const server = createServer((socket) => this.#take(socket));
    // It is not handed over then, and ends with its parent.
    server.on("error", () => undefined);
    server.listen(place, () => {
      this.#place = place;
      this.#letGo();
    });
  }

  /** From here on nobody holds it, until somebody comes. */
  #letGo(): void {
    const out = this.#out;
    this.#isHandedOver = true;
    this.#out = undefined;
    if (out !== undefined) write(out, { adoptable: true });
  }

  #take(socket: Socket): void {
    socket.on("error", () => undefined);
    if (!this.#isHandedOver) return void socket.destroy();
    this.#isHandedOver = false;
    this.#out = socket;
    this.#handlers.onRenewal();
    for (const message of this.#kept.splice(0)) write(socket, message);
    this.#follow(socket);
    this.#whenTaken?.();
  }
}

function write(socket: Socket, line: object): void {
  if (!socket.destroyed) socket.write(`${JSON.stringify(line)}\n`);
}
