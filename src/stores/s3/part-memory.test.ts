import { describe, expect, test } from "vitest";
import { PartMemory } from "./part-memory.ts";

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe("the memory of parts", () => {
  test("lets a writer with nothing under way send one part, however full it is", async () => {
    const memory = new PartMemory(10);
    await memory.takeOff(8, new Set());
    await expect(memory.takeOff(8, new Set())).resolves.toBeUndefined();
  });

  test("holds back a writer's further parts until one of its own has landed and there is room", async () => {
    const memory = new PartMemory(10);
    const flying = new Set<Promise<void>>();
    await memory.takeOff(8, flying);
    const { promise, resolve } = Promise.withResolvers<void>();
    flying.add(promise);
    let off = false;
    const waiting = memory.takeOff(8, flying).then(() => (off = true));
    await settle();
    expect(off).toBe(false);
    flying.delete(promise);
    memory.landed(8);
    resolve();
    await waiting;
    expect(off).toBe(true);
  });

  test("gives buffers out again, and keeps no more than half of what may be under way", () => {
    const memory = new PartMemory(64);
    const first = memory.borrow(16);
    memory.giveBack(first);
    expect(memory.borrow(8)).not.toBe(first);
    expect(memory.borrow(16)).toBe(first);
    expect(memory.borrow(16)).not.toBe(first);
    const buffers: Buffer[] = [1, 2, 3].map(() => Buffer.alloc(16));
    for (const buffer of buffers) memory.giveBack(buffer);
    for (const kept of buffers.slice(1)) expect(memory.borrow(16)).toBe(kept);
    expect(buffers.includes(memory.borrow(16))).toBe(false);
  });
});
