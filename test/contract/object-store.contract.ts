import { describe, expect, it } from "vitest";
import type { ObjectStore } from "../../src/core/ports/object-store.ts";
import { Failure } from "../../src/core/failure.ts";

/** What every ObjectStore must do. `open` gives an empty store each time. */
export function objectStoreContract(adapter: string, open: () => Promise<ObjectStore>): void {
  const bytes = (text: string) => new TextEncoder().encode(text);

  async function text(
    store: ObjectStore,
    name: string,
    range?: { offset: number; length?: number },
  ): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of store.read(name, range)) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString();
  }

  async function put(store: ObjectStore, name: string, content: string): Promise<void> {
    const writer = await store.write(name);
    await writer.write(bytes(content));
    await writer.commit();
  }

  async function names(store: ObjectStore, prefix = ""): Promise<string[]> {
    const found: string[] = [];
    for await (const object of store.list(prefix)) found.push(object.name);
    return found;
  }

  describe(`object store: ${adapter}`, () => {
    it("gives back what was written, whole and by range", async () => {
      const store = await open();
      await put(store, "a/b.bin", "0123456789");
      expect(await text(store, "a/b.bin")).toBe("0123456789");
      expect(await text(store, "a/b.bin", { offset: 3, length: 4 })).toBe("3456");
      expect(await text(store, "a/b.bin", { offset: 10 })).toBe("");
      expect(await store.head("a/b.bin")).toMatchObject({ name: "a/b.bin", sizeBytes: 10 });
    });

    it("keeps objects of several megabytes and of no bytes", async () => {
      const store = await open();
      const large = Buffer.alloc(3 * 1024 * 1024 + 17, "x");
      const writer = await store.write("large");
      for (let at = 0; at < large.length; at += 700_000) await writer.write(large.subarray(at, at + 700_000));
      expect((await writer.commit()).sizeBytes).toBe(large.length);
      expect(await text(store, "large")).toBe(large.toString());
      await put(store, "empty", "");
      expect(await text(store, "empty")).toBe("");
    });

    it("shows nothing before commit and nothing after abort", async () => {
      const store = await open();
      const writer = await store.write("a1/x");
      await writer.write(bytes("half"));
      expect(await store.head("a1/x")).toBeUndefined();
      expect(await names(store)).toEqual([]);
      await writer.abort();
      await writer.abort();
      expect(await names(store)).toEqual([]);
    });

    it("creates only once, however many try at the same time", async () => {
      const store = await open();
      const tries = await Promise.all(
        [1, 2, 3, 4, 5].map((n) => store.createIfAbsent("seal", bytes(`by ${n}`))),
      );
      expect(tries.filter(Boolean)).toHaveLength(1);
      expect(await text(store, "seal")).toBe(`by ${tries.indexOf(true) + 1}`);
      expect(await store.createIfAbsent("seal", bytes("late"))).toBe(false);
      expect(await names(store)).toEqual(["seal"]);
    });

    it("replaces atomically", async () => {
      const store = await open();
      await store.replace("lease", bytes("one"));
      await store.replace("lease", bytes("two, longer"));
      await store.replace("lease", bytes("3"));
      expect(await text(store, "lease")).toBe("3");
    });

    it("lists in byte order of whole names, below a prefix of any length", async () => {
      const store = await open();
      const all = ["a-b/x", "a.json", "a/1", "a/2/z", "a/B", "b"];
      for (const name of all.toReversed()) await put(store, name, name);
      expect(await names(store)).toEqual(all);
      expect(await names(store, "a/")).toEqual(["a/1", "a/2/z", "a/B"]);
      expect(await names(store, "a/2")).toEqual(["a/2/z"]);
      expect(await names(store, "a")).toEqual(["a-b/x", "a.json", "a/1", "a/2/z", "a/B"]);
      expect(await names(store, "nothing/")).toEqual([]);
      const folders: string[] = [];
      for await (const folder of store.listFolders("")) folders.push(folder);
      expect(folders).toEqual(["a-b", "a"]);
    });

    it("deletes once and is quiet about a second time", async () => {
      const store = await open();
      await put(store, "a/b/c", "x");
      expect(await store.delete("a/b/c")).toBe(true);
      expect(await store.delete("a/b/c")).toBe(false);
      expect(await names(store)).toEqual([]);
      const folders: string[] = [];
      for await (const folder of store.listFolders("")) folders.push(folder);
      expect(folders).toEqual([]);
    });

    it("says what is missing or short instead of giving fewer bytes", async () => {
      const store = await open();
      await put(store, "short", "123");
      await expect(text(store, "short", { offset: 0, length: 4 })).rejects.toMatchObject({
        code: "backup-incomplete",
      });
      await expect(text(store, "none")).rejects.toMatchObject({ code: "backup-incomplete" });
    });

    it("refuses names that lead elsewhere", async () => {
      const store = await open();
      for (const name of ["../x", "a/../b", "/a", "a//b", "", ".", "a/", "ä", "a b"]) {
        await expect(store.write(name), name).rejects.toBeInstanceOf(Failure);
        await expect(store.createIfAbsent(name, bytes("x")), name).rejects.toBeInstanceOf(Failure);
      }
    });
  });
}
