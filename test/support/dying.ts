import type { ObjectStore } from "../../src/core/ports/object-store.ts";
import type { FileTarget } from "../../src/core/ports/file-target.ts";

/** What a killed process does: from one call on, nothing any more. */
export class Life {
  calls = 0;
  readonly #endsAt: number;

  /** The call of this number (from 1), and all later ones, throw instead of being made. */
  constructor(endsAt: number) {
    this.#endsAt = endsAt;
  }

  get isOver(): boolean {
    return this.calls >= this.#endsAt;
  }

  step(): void {
    this.calls += 1;
    if (this.isOver) throw new Error("killed");
  }
}

/** Calls to any of the methods count and may be the last; `read` counts once. */
function dyingObject<T extends object>(object: T, life: Life, counted: readonly string[]): T {
  return new Proxy(object, {
    get(inner, name) {
      const member: unknown = Reflect.get(inner, name);
      if (typeof member !== "function") return member;
      const method = member.bind(inner) as (...parameters: unknown[]) => unknown;
      if (!counted.includes(String(name))) return method;
      return (...parameters: unknown[]) => {
        life.step();
        return method(...parameters);
      };
    },
  });
}

/** A store that dies between any two of its calls, those of its writers among them. */
export function dyingStore(store: ObjectStore, life: Life): ObjectStore {
  const dying = dyingObject(store, life, ["createIfAbsent", "replace", "delete", "head"]);
  return new Proxy(dying, {
    get(inner, name) {
      if (name !== "write") return Reflect.get(inner, name) as unknown;
      return async (object: string) => {
        life.step();
        return dyingObject(await store.write(object), life, ["write", "commit", "abort"]);
      };
    },
  });
}

const changingMethods = ["create", "writeFile", "writeSymlink", "makeFolder", "setFacts", "remove", "sync"];

/** A target that dies between any two changes. */
export function dyingTarget(target: FileTarget, life: Life): FileTarget {
  return dyingObject(target, life, changingMethods);
}
