import { describe, expect, it } from "vitest";
import { CallGate } from "./call-gate.ts";

const never = new AbortController().signal;
/** Work that lasts until it is told to end. */
function openWork(begun: string[], name: string) {
  const end = Promise.withResolvers<string>();
  return {
    end: () => end.resolve(name),
    fail: () => end.reject(new Error(name)),
    work: async () => {
      begun.push(name);
      return await end.promise;
    },
  };
}

describe("the gate of calls", () => {
  it("lets so many in at once, and the others in the order in which they came, however one ends", async () => {
    const gate = new CallGate({ calls: 2, callWaitSeconds: 60 });
    const begun: string[] = [];
    const work = (name: string) => openWork(begun, name);
    const [a, b, c, d] = [work("a"), work("b"), work("c"), work("d")];
    const done = [a, b, c, d].map(async (one) => await gate.run(never, one.work));
    expect(begun).toEqual(["a", "b"]);
    b.fail();
    await expect(done[1]).rejects.toThrow("b");
    expect(begun).toEqual(["a", "b", "c"]);
    a.end();
    await done[0];
    expect(begun).toEqual(["a", "b", "c", "d"]);
    c.end();
    d.end();
    expect(await Promise.all([done[0], done[2], done[3]])).toEqual(["a", "c", "d"]);
    expect(await gate.run(never, async () => await Promise.resolve("later"))).toBe("later");
  });

  it("refuses what has waited for too long, and keeps no place for it", async () => {
    const gate = new CallGate({ calls: 1, callWaitSeconds: 0.01 });
    const begun: string[] = [];
    const first = openWork(begun, "first");
    const running = gate.run(never, first.work);
    await expect(gate.run(never, openWork(begun, "late").work)).rejects.toMatchObject({
      code: "server-busy",
      retry: "backoff",
    });
    first.end();
    await running;
    expect(begun).toEqual(["first"]);
    expect(await gate.run(never, async () => await Promise.resolve(1))).toBe(1);
  });

  it("lets whoever waits go away", async () => {
    const gate = new CallGate({ calls: 1, callWaitSeconds: 60 });
    const begun: string[] = [];
    const first = openWork(begun, "first");
    const running = gate.run(never, first.work);
    const caller = new AbortController();
    const waiting = gate.run(caller.signal, openWork(begun, "gone").work);
    caller.abort();
    await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
    await expect(gate.run(caller.signal, openWork(begun, "gone").work)).rejects.toMatchObject({
      code: "cancelled",
    });
    first.end();
    await running;
    expect(begun).toEqual(["first"]);
  });

  it("loses no place to one that gives up at the moment in which it would have got it", async () => {
    for (let turns = 0; turns < 10; turns++) {
      const gate = new CallGate({ calls: 1, callWaitSeconds: 60 });
      const first = openWork([], "first");
      const second = openWork([], "second");
      const doomed = new AbortController();
      const done = [gate.run(never, first.work), gate.run(doomed.signal, second.work)];
      const ended = Promise.allSettled(done);
      second.end();
      first.end();
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      doomed.abort();
      await ended;
      expect(await gate.run(AbortSignal.timeout(1_000), async () => await Promise.resolve("in"))).toBe("in");
    }
  });
});
