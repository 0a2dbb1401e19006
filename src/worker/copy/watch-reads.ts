import type { ObjectStore } from "../../core/ports/object-store.ts";
import type { TaskRun } from "../task.ts";

/** The same run, which tells of each piece that is read of its store, for whatever purpose. */
export function watchReads(run: TaskRun, onRead: (sizeBytes: number) => void): TaskRun {
  const read = async function* (...asked: Parameters<ObjectStore["read"]>) {
    for await (const piece of run.store.read(...asked)) {
      onRead(piece.length);
      yield piece;
    }
  };
  const store = new Proxy(run.store, {
    get: (target, name) => {
      if (name === "read") return read;
      const value: unknown = Reflect.get(target, name, target);
      // Methods with private fields know their own object only.
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  return { ...run, store };
}
