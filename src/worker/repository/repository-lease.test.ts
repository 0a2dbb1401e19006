import { describe, expect, test } from "vitest";
import { Failure } from "../../core/failure.ts";
import { leasePrefix } from "../../core/repository/layout.ts";
import { KeyfileService } from "../../keys/keyfile/keyfile-service.ts";
import { MemoryStore } from "../../stores/memory/memory-store.ts";
import type { TaskRun } from "../task.ts";
import { withExclusiveLease, withSharedLease } from "./repository-lease.ts";

let counter = 0;
function makeRun(store: MemoryStore): TaskRun {
  return {
    context: { repository: store.url, keys: { kind: "keyfile", directory: "unused" }, projectId: "p1" },
    store,
    openStore: () => Promise.resolve(store),
    keys: new KeyfileService("unused"),
    signal: new AbortController().signal,
    report: () => undefined,
    drained: () => Promise.resolve(),
    clock: { nowMs: () => Date.now() },
    ids: { hex: (length) => (counter += 1).toString(16).padStart(length, "0") },
    env: {},
    scratchDirectory: "unused",
  };
}

/** Lets go of nothing, as a bucket whose objects are locked. */
class LockedStore extends MemoryStore {
  override delete(name: string): Promise<boolean> {
    return Promise.reject(new Failure("object-locked", `${name} is under retention`));
  }
}

/** Tells when something was deleted for the first time. */
class WatchedStore extends MemoryStore {
  readonly #deleted = Promise.withResolvers<void>();
  readonly deletion = this.#deleted.promise;

  override async delete(name: string): Promise<boolean> {
    const existed = await super.delete(name);
    this.#deleted.resolve();
    return existed;
  }
}

const leasesIn = (store: MemoryStore) => Array.fromAsync(store.list(leasePrefix));

describe("a lease", () => {
  test("is gone with the work it was for, also when that failed", async () => {
    const store = new MemoryStore();
    const held = await withSharedLease(makeRun(store), "reading", async (_signal, name) => {
      expect(await leasesIn(store)).toHaveLength(1);
      return name;
    });
    expect(held).toMatch(/^leases\/shared-/);
    const failing = withSharedLease(makeRun(store), "reading", () => Promise.reject(new Error("no luck")));
    await expect(failing).rejects.toThrow("no luck");
    expect(await leasesIn(store)).toEqual([]);
  });

  test("that the store does not let go of keeps nobody out when its work is done", async () => {
    const store = new LockedStore();
    for (const work of [withSharedLease, withExclusiveLease, withSharedLease]) {
      expect(await work(makeRun(store), "working", () => Promise.resolve("done"))).toBe("done");
    }
    expect(await leasesIn(store)).toHaveLength(3);
  });

  test("of one that deletes waits for those that refer, and the other way round", async () => {
    const store = new WatchedStore();
    const order: string[] = [];
    let waiting: Promise<void> | undefined;
    await withSharedLease(makeRun(store), "backing up", async () => {
      waiting = withExclusiveLease(makeRun(store), "deleting", async () => void order.push("deleted"));
      // The other has looked, and has taken its own back.
      await store.deletion;
      order.push("backed up");
    });
    await waiting;
    expect(order).toEqual(["backed up", "deleted"]);
  });
});
