import { describe, expect, it } from "vitest";
import { returnsToQueue } from "./return-to-queue.ts";

const backup = { kind: "backup", attempt: 1, admittedAtMs: 5 } as const;
const interrupted = { code: "interrupted", message: "", retry: "never" } as const;
const task = {
  operationId: "restore-1",
  attempt: 1,
  name: "plan",
  state: "lost",
  startedAtMs: 1,
} as const;

describe("what a dead process left", () => {
  it("goes back to the queue when it is a backup that came from there", () => {
    expect(returnsToQueue(backup, [task], interrupted)).toBe(true);
    expect(returnsToQueue({ kind: "backup", attempt: 1 }, [task], interrupted)).toBe(false);
  });

  it("goes back when it is a restore only if nothing of it had begun", () => {
    expect(returnsToQueue({ ...backup, kind: "restore" }, [], interrupted)).toBe(true);
    expect(returnsToQueue({ ...backup, kind: "restore" }, [task], interrupted)).toBe(false);
    expect(returnsToQueue({ ...backup, kind: "restore", attempt: 2 }, [task], interrupted)).toBe(true);
    expect(returnsToQueue({ ...backup, kind: "copy" }, [], interrupted)).toBe(false);
  });

  it("stays ended when it ended in another way, or was tried often enough", () => {
    expect(returnsToQueue(backup, [], undefined)).toBe(false);
    expect(returnsToQueue(backup, [], { ...interrupted, code: "cancelled" })).toBe(false);
    expect(returnsToQueue({ ...backup, attempt: 9 }, [], interrupted)).toBe(true);
    expect(returnsToQueue({ ...backup, attempt: 10 }, [], interrupted)).toBe(false);
    const failed = {
      ...task,
      state: "failed",
      failure: { code: "worker-died", message: "", retry: "backoff" },
    } as const;
    expect(returnsToQueue({ ...backup, attempt: 10 }, [failed], interrupted), "one of them failed").toBe(
      true,
    );
  });
});
