import { expect, test } from "vitest";
import { BodyMemory } from "./body-memory.ts";

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Holds memory until it is told to give it back. */
function holder(memory: BodyMemory) {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    begun,
    hold: (name: string, sizeBytes: number) =>
      memory.hold(sizeBytes, async () => {
        begun.push(name);
        await new Promise<void>((resolve) => ends.set(name, resolve));
      }),
    async end(name: string) {
      ends.get(name)?.();
      await settled();
    },
  };
}

test("what does not fit waits, in order, even when something smaller would fit", async () => {
  const { begun, hold, end } = holder(new BodyMemory(10));
  const all = [hold("a", 6), hold("b", 5), hold("c", 1)];
  expect(begun).toEqual(["a"]);
  await end("a");
  expect(begun).toEqual(["a", "b", "c"]);
  await end("b");
  await end("c");
  await Promise.all(all);
});

test("more than there is may be held alone", async () => {
  const { begun, hold, end } = holder(new BodyMemory(10));
  const all = [hold("a", 1), hold("huge", 50), hold("b", 1)];
  expect(begun).toEqual(["a"]);
  await end("a");
  expect(begun).toEqual(["a", "huge"]);
  await end("huge");
  expect(begun).toEqual(["a", "huge", "b"]);
  await end("b");
  await Promise.all(all);
});

test("work that fails gives back what it held", async () => {
  const memory = new BodyMemory(10);
  await expect(memory.hold(10, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  await expect(memory.hold(10, () => Promise.resolve("fits"))).resolves.toBe("fits");
});
