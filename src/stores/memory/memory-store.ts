import { Failure } from "../../core/failure.ts";
import type { ByteRange, ObjectStore, ObjectWriter, StoredObject } from "../../core/ports/object-store.ts";
import type { ServerEncryption } from "../../core/repository/encryption.ts";
import { assertObjectName } from "../../core/repository/object-name.ts";

interface Held {
  readonly bytes: Uint8Array;
  readonly modifiedAtMs: number;
  readonly encryption: ServerEncryption | undefined;
}

/** Objects in memory: the reference for the port's contract, and the store of unit tests. */
export class MemoryStore implements ObjectStore {
  readonly url = "memory:";
  readonly #objects = new Map<string, Held>();
  readonly #now: () => number;
  #encryption: ServerEncryption | undefined;

  constructor(now: () => number = () => Date.now()) {
    this.#now = now;
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    for (const name of this.#names()) {
      const held = this.#objects.get(name);
      if (held !== undefined && name.startsWith(prefix)) yield this.#facts(name, held);
    }
  }

  async *listUnfinished(): AsyncIterable<StoredObject> {
    // What was not committed is nowhere.
  }

  async *listFolders(prefix: string): AsyncIterable<string> {
    let last: string | undefined;
    for (const name of this.#names()) {
      const slash = name.startsWith(prefix) ? name.indexOf("/", prefix.length) : -1;
      const folder = slash < 0 ? undefined : name.slice(prefix.length, slash);
      if (folder !== undefined && folder !== last) yield (last = folder);
    }
  }

  async head(name: string): Promise<StoredObject | undefined> {
    assertObjectName(name);
    const held = this.#objects.get(name);
    return held === undefined ? undefined : this.#facts(name, held);
  }

  async *read(name: string, range: ByteRange = { offset: 0 }): AsyncIterable<Uint8Array> {
    assertObjectName(name);
    const held = this.#objects.get(name);
    if (held === undefined) throw new Failure("backup-incomplete", `${name} is missing in ${this.url}.`);
    const end = range.length === undefined ? held.bytes.length : range.offset + range.length;
    if (end > held.bytes.length) {
      throw new Failure("backup-incomplete", `${name} has ${held.bytes.length} bytes; ${end} are needed.`);
    }
    const chunkBytes = 64 * 1024;
    for (let position = range.offset; position < end; position += chunkBytes) {
      yield held.bytes.slice(position, Math.min(end, position + chunkBytes));
    }
  }

  async write(name: string): Promise<ObjectWriter> {
    assertObjectName(name);
    const chunks: Uint8Array[] = [];
    return {
      write: async (bytes) => void chunks.push(Uint8Array.from(bytes)),
      commit: async () => this.#put(name, Buffer.concat(chunks)),
      abort: async () => void chunks.splice(0),
    };
  }

  async createIfAbsent(name: string, bytes: Uint8Array): Promise<boolean> {
    assertObjectName(name);
    if (this.#objects.has(name)) return false;
    this.#put(name, Uint8Array.from(bytes));
    return true;
  }

  async replace(name: string, bytes: Uint8Array): Promise<void> {
    assertObjectName(name);
    this.#put(name, Uint8Array.from(bytes));
  }

  async delete(name: string): Promise<boolean> {
    assertObjectName(name);
    return this.#objects.delete(name);
  }

  /** Says so, as a real store does; there is nothing that could be read from outside. */
  async encryptBy(wanted: ServerEncryption): Promise<ServerEncryption> {
    this.#encryption = wanted;
    return wanted;
  }

  #put(name: string, bytes: Uint8Array): StoredObject {
    const held = { bytes, modifiedAtMs: this.#now(), encryption: this.#encryption };
    this.#objects.set(name, held);
    return this.#facts(name, held);
  }

  #facts(name: string, held: Held): StoredObject {
    const { bytes, modifiedAtMs, encryption } = held;
    return {
      name,
      sizeBytes: bytes.length,
      modifiedAtMs,
      ...(encryption === undefined ? {} : { encryption }),
    };
  }

  /** Names are ASCII, so string order is byte order. */
  #names(): string[] {
    return [...this.#objects.keys()].sort();
  }
}
