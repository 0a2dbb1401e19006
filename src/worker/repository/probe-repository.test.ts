import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { ObjectStore } from "../../core/ports/object-store.ts";
import { KeyfileService } from "../../keys/keyfile/keyfile-service.ts";
import { openFilesystemStore } from "../../stores/filesystem/filesystem-store.ts";
import { MemoryStore } from "../../stores/memory/memory-store.ts";
import type { TaskRun } from "../task.ts";
import { probeRepository } from "./probe-repository.ts";
import { ensureRepository } from "./repository.ts";

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));
function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "lc2-probe-"));
  folders.push(folder);
  return folder;
}

let counter = 0;
function makeRun(store: ObjectStore, nowMs = Date.now()): TaskRun {
  return {
    context: { repository: store.url, keys: { kind: "keyfile", directory: "unused" }, projectId: "" },
    store,
    openStore: () => Promise.resolve(store),
    keys: new KeyfileService("unused"),
    signal: new AbortController().signal,
    report: () => undefined,
    drained: () => Promise.resolve(),
    clock: { nowMs: () => nowMs },
    ids: { hex: (length) => (counter += 1).toString(16).padStart(length, "0") },
    env: {},
    scratchDirectory: "unused",
  };
}

const probe = (run: TaskRun) =>
  probeRepository({ context: run.context, lease: { seconds: 30 }, kind: "probe-repository" }, run);

async function namesIn(store: ObjectStore): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list("")) names.push(name);
  return names;
}

const answersOf = ({ capabilities }: Awaited<ReturnType<typeof probe>>) =>
  Object.fromEntries(capabilities.map(({ name, answer }) => [name, answer]));

const allYes = {
  "write-and-read": "yes",
  "range-read": "yes",
  "conditional-create": "yes",
  replace: "yes",
  listing: "yes",
  delete: "yes",
};

describe("a probe", () => {
  test("finds a folder and the store of tests able to do everything, and leaves nothing there", async () => {
    const folder = makeFolder();
    for (const store of [new MemoryStore(), openFilesystemStore(folder)]) {
      const found = await probe(makeRun(store));
      expect(found.repositoryFound).toBe(false);
      expect(answersOf(found)).toEqual(allYes);
      expect(await namesIn(store)).toEqual([]);
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  test("says whether a repository is there, and a repository can be made after it", async () => {
    const run = makeRun(new MemoryStore());
    await run.store.createIfAbsent(
      "probe/d00d000000000000/once",
      Buffer.from("left by a probe that was killed"),
    );
    await ensureRepository(run);
    expect((await probe(run)).repositoryFound).toBe(true);
  });

  test("clears away what a dead one left, and nothing of a running one or of another program", async () => {
    const store = new MemoryStore();
    const names = ["probe/aaaaaaaaaaaaaaaa/once", "probe/apollo/moon.jpg"];
    for (const name of names) await store.createIfAbsent(name, Buffer.from("x"));
    await probe(makeRun(store));
    expect(await namesIn(store)).toEqual(names);
    await probe(makeRun(store, Date.now() + 7_200_000));
    expect(await namesIn(store)).toEqual(["probe/apollo/moon.jpg"]);
  });

  test("adds what only this kind of store can tell", async () => {
    const versioning = { name: "versioning", answer: "unknown", sentence: "Nobody knows." } as const;
    const store = new (class extends MemoryStore {
      async probe() {
        return [versioning];
      }
    })();
    expect((await probe(makeRun(store))).capabilities.at(-1)).toEqual(versioning);
  });
});

describe("a store is seen through", () => {
  const stores: readonly (readonly [capability: string, store: ObjectStore])[] = [
    [
      "conditional-create",
      new (class extends MemoryStore {
        override async createIfAbsent(name: string, bytes: Uint8Array) {
          await this.replace(name, bytes);
          return true;
        }
      })(),
    ],
    [
      "range-read",
      new (class extends MemoryStore {
        override read(name: string) {
          return super.read(name);
        }
      })(),
    ],
    [
      "replace",
      new (class extends MemoryStore {
        override async replace(name: string, bytes: Uint8Array) {
          await this.createIfAbsent(name, bytes);
        }
      })(),
    ],
    [
      "listing",
      new (class extends MemoryStore {
        override async *list(prefix: string) {
          const all = await Array.fromAsync(super.list(prefix));
          yield* all.toReversed();
        }
      })(),
    ],
    [
      "listing",
      new (class extends MemoryStore {
        override async *list(prefix: string) {
          for await (const object of super.list(prefix)) if (!object.name.endsWith("/B")) yield object;
        }
      })(),
    ],
    [
      "delete",
      new (class extends MemoryStore {
        override async delete() {
          return true;
        }
      })(),
    ],
    [
      "write-and-read",
      new (class extends MemoryStore {
        override async *read() {
          yield Buffer.from("something else");
        }
      })(),
    ],
  ];
  test.each(stores)("that cannot do %s", async (capability, store) => {
    const found = await probe(makeRun(store));
    expect(answersOf(found)[capability]).toBe("no");
  });
});
