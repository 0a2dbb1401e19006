import type { ByteRange, ObjectStore, ObjectWriter, StoredObject } from "../core/ports/object-store.ts";

/**
 * A store in which what is named below `seen` lies below `kept` of another one, and nothing else exists. So
 * what writes and reads a backup's folder can keep the like of it elsewhere. Both end with a slash.
 */
export function relocateStore(store: ObjectStore, seen: string, kept: string): ObjectStore {
  return new RelocatedStore(store, seen, kept);
}

class RelocatedStore implements ObjectStore {
  readonly url: string;
  readonly #store: ObjectStore;
  readonly #seen: string;
  readonly #kept: string;

  constructor(store: ObjectStore, seen: string, kept: string) {
    this.url = store.url;
    this.#store = store;
    this.#seen = seen;
    this.#kept = kept;
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    for await (const object of this.#store.list(this.#in(prefix))) yield this.#out(object);
  }

  async *listUnfinished(): AsyncIterable<StoredObject> {
    for await (const object of this.#store.listUnfinished()) {
      if (object.name.startsWith(this.#kept)) yield this.#out(object);
    }
  }

  listFolders(prefix: string): AsyncIterable<string> {
    return this.#store.listFolders(this.#in(prefix));
  }

  async head(name: string): Promise<StoredObject | undefined> {
    const found = await this.#store.head(this.#in(name));
    return found === undefined ? undefined : this.#out(found);
  }

  read(name: string, range?: ByteRange): AsyncIterable<Uint8Array> {
    return this.#store.read(this.#in(name), range);
  }

  async write(name: string): Promise<ObjectWriter> {
    const writer = await this.#store.write(this.#in(name));
    return {
      write: (bytes) => writer.write(bytes),
      commit: async () => this.#out(await writer.commit()),
      abort: () => writer.abort(),
    };
  }

  createIfAbsent(name: string, bytes: Uint8Array): Promise<boolean> {
    return this.#store.createIfAbsent(this.#in(name), bytes);
  }

  replace(name: string, bytes: Uint8Array): Promise<void> {
    return this.#store.replace(this.#in(name), bytes);
  }

  delete(name: string): Promise<boolean> {
    return this.#store.delete(this.#in(name));
  }

  #in(name: string): string {
    if (!name.startsWith(this.#seen)) throw new RangeError(`${name} is not below ${this.#seen}`);
    return this.#kept + name.slice(this.#seen.length);
  }

  #out(object: StoredObject): StoredObject {
    return { ...object, name: this.#seen + object.name.slice(this.#kept.length) };
  }
}
