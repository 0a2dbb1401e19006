import type { ObjectStore } from "../../src/core/ports/object-store.ts";

/** The store, with some methods replaced. */
export function changedStore(store: ObjectStore, methods: Partial<ObjectStore>): ObjectStore {
  return {
    url: "memory:changed",
    list: (prefix) => store.list(prefix),
    listUnfinished: () => store.listUnfinished(),
    listFolders: (prefix) => store.listFolders(prefix),
    head: (name) => store.head(name),
    read: (name, range) => store.read(name, range),
    write: (name) => store.write(name),
    createIfAbsent: (name, bytes) => store.createIfAbsent(name, bytes),
    replace: (name, bytes) => store.replace(name, bytes),
    delete: (name) => store.delete(name),
    ...methods,
  };
}
