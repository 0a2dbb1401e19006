import { Failure } from "../../core/failure.ts";
import type { ObjectWriter, StoredObject } from "../../core/ports/object-store.ts";
import { backupPrefix } from "../../core/repository/layout.ts";
import { assertEncrypted } from "../streams/stream-encryption.ts";
import type { StreamKey } from "../streams/stream-key.ts";
import type { TaskRun } from "../task.ts";

/** One pack that is being written: encrypted members one after the other. Calls must not overlap. */
export class PackWriter {
  readonly #run: TaskRun;
  readonly #backupId: string;
  readonly #key: StreamKey;
  #writer: ObjectWriter | undefined;
  #sizeBytes = 0;
  #awaitedBytes = 0;
  /** Relative to the backup. */
  readonly name: string;
  members = 0;

  /** `key`: what the members that it will be given are encrypted with. */
  constructor(run: TaskRun, backupId: string, name: string, key: StreamKey) {
    this.#run = run;
    this.#key = key;
    this.#backupId = backupId;
    this.name = name;
  }

  /** Bytes written, and plain bytes that were announced and are still to come. */
  get expectedBytes(): number {
    return this.#sizeBytes + this.#awaitedBytes;
  }

  /** Announces a batch. */
  expect(plainBytes: number, members: number): void {
    this.#awaitedBytes += plainBytes;
    this.members += members;
  }

  /** The encoded form of a batch that was announced, made for this offset. */
  async append(bytes: Uint8Array, plainBytes: number, offset: number): Promise<void> {
    // Members are bound to their offsets: at any other place they could never be opened again.
    if (offset !== this.#sizeBytes)
      throw new Error(`a batch for offset ${offset} came at ${this.#sizeBytes}`);
    this.#writer ??= await this.#run.store.write(
      backupPrefix(this.#run.context.projectId, this.#backupId) + this.name,
    );
    await this.#writer.write(bytes);
    this.#sizeBytes += bytes.length;
    this.#awaitedBytes -= plainBytes;
  }

  /** Makes the pack durable, compares what the store says it has, and tells what that is. */
  async close(): Promise<StoredObject> {
    const object = await this.#writer?.commit();
    if (object?.sizeBytes === this.#sizeBytes) {
      if (this.#key === "by-store")
        await assertEncrypted(this.#run.store, `${this.name} of ${this.#backupId}`, object);
      return object;
    }
    throw new Failure(
      "store-failed",
      `${this.#run.store.url} took ${this.#sizeBytes} bytes of ${this.name} of ${this.#backupId} but now has ` +
        `${object?.sizeBytes ?? "none"}. Check the store's free space and its own logs, then run the backup again.`,
    );
  }

  /** Leaves nothing behind. Idempotent. */
  async abort(): Promise<void> {
    await this.#writer?.abort();
  }
}
