import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import {
  encodeMembers,
  type EncodedBatch,
  type MemberBatch,
  type MemberOwner,
  type ThreadBatch,
} from "./encode-members.ts";

/** So much is encoded at once before a thread is worth its start. */
const membersBeforeThread = 1500;

/**
 * Encodes batches of pack members in order. Much work goes to a thread of its own, beside the reading of the
 * source: compressing and encrypting small files takes longer than reading them.
 */
export class MemberEncoder {
  readonly #owner: MemberOwner;
  #members = 0;
  #nextOffset = 0;
  #thread: Worker | undefined;
  #failure: Error | undefined;
  readonly #waiting: { resolve: (encoded: EncodedBatch) => void; reject: (error: unknown) => void }[] = [];

  constructor(owner: MemberOwner) {
    this.#owner = owner;
  }

  /**
   * The batch's members, in the pack from where the batch before ended, or from its beginning. `plain` and `encoded`
   * may be used again when the promise has settled; where they are memory that threads share, nothing is copied.
   */
  encode(batch: Omit<MemberBatch, "offset">, isFirst: boolean): Promise<EncodedBatch> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#members += batch.lengths.length;
    if (this.#thread === undefined && (this.#members < membersBeforeThread || availableParallelism() < 2)) {
      const offset = isFirst ? 0 : this.#nextOffset;
      const encoded = encodeMembers(this.#owner, { ...batch, offset });
      this.#nextOffset = offset + encoded.lengthBytes;
      return Promise.resolve(encoded);
    }
    const goesOn = this.#thread !== undefined && !isFirst;
    const offset = goesOn ? undefined : isFirst ? 0 : this.#nextOffset;
    return this.#send({ ...batch, offset });
  }

  /** Ends the thread; batches that are being encoded are rejected. May be used again, from a pack's beginning. */
  async close(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    thread?.removeAllListeners();
    this.#rejectWaiting(new Error("the encoding of pack members was ended"));
    await thread?.terminate();
  }

  #send(batch: ThreadBatch): Promise<EncodedBatch> {
    const thread = (this.#thread ??= this.#start());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      thread.postMessage(batch, []);
    });
  }

  #start(): Worker {
    const thread = new Worker(new URL("./encode-members-thread.ts", import.meta.url), {
      workerData: this.#owner,
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 },
    });
    thread.on("message", (encoded: EncodedBatch) => this.#waiting.shift()?.resolve(encoded));
    thread.on("error", (error) => this.#fail(error));
    thread.on("exit", () => this.#fail(new Error("the thread that encodes pack members ended")));
    return thread;
  }

  /** Whatever a thread's end leaves unknown, its pack cannot be gone on with. */
  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#rejectWaiting(this.#failure);
  }

  #rejectWaiting(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
