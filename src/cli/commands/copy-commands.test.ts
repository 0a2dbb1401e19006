import { describe, expect, test } from "vitest";
import type { CopyView } from "../../contract/copies.ts";
import { createMemoryWorld } from "../../../test/support/memory-service.ts";
import { runInMemory } from "../../../test/support/memory-terminal.ts";
import { exampleBackup } from "../../../test/support/service-examples.ts";

const { backupId } = exampleBackup();
const running: CopyView = {
  copyId: "copy-20261124-140000-c0c0c0",
  backupId,
  projectId: "retail",
  from: "file:///srv/backups",
  to: "s3://elsewhere/lc2",
  status: "TransferInProgress",
  createdAt: "2026-11-24T14:00:00.000Z",
};
const failed: CopyView = {
  ...running,
  copyId: "copy-20261124-130000-c1c1c1",
  status: "Failed",
  copied: { files: 2, sizeBytes: 5_000_000 },
  completedAt: "2026-11-24T13:00:12.000Z",
  createdAt: "2026-11-24T13:00:00.000Z",
  error: { code: "disk-full", message: "The disk is full.", retry: "never" },
};
const worldOf = (...copies: CopyView[]) => {
  const world = createMemoryWorld();
  world.copies.clear();
  for (const copy of copies) world.copies.set(copy.copyId, copy);
  return world;
};

describe("lc2 copy", () => {
  test("list shows what runs and what failed", async () => {
    const world = worldOf(running, failed);
    const { stdout } = await runInMemory(["copy", "list"], { world });
    expect(stdout).toMatch(/^COPY +BACKUP +STATE +TO +AGE\n/);
    expect(stdout).toContain("TransferInProgress");
    expect(stdout).toContain("Failed");
    expect((await runInMemory(["copy", "list", "-o", "name"], { world })).stdout).toBe(
      `${running.copyId}\n${failed.copyId}\n`,
    );
    const wide = (await runInMemory(["copy", "list", "-o", "wide"], { world })).stdout;
    expect(wide).toContain("5.00 MB");
    expect((await runInMemory(["copy", "list", "--limit", "1"], { world })).stderr).toContain(
      "1 of 2; more with --offset 1",
    );
    expect((await runInMemory(["copy", "list"], { world: worldOf() })).stdout).toBe("No copies found.\n");
  });

  test("describe says why one failed", async () => {
    const world = worldOf(failed);
    const { stdout } = await runInMemory(["copy", "describe", failed.copyId], { world });
    expect(stdout).toContain("The disk is full. (disk-full)");
    expect(stdout).toContain("took 12 s");
    expect((await runInMemory(["copy", "get", failed.copyId, "-o", "name"], { world })).stdout).toBe(
      `${failed.copyId}\n`,
    );
    expect((await runInMemory(["copy", "get", "copy-x"], { world })).stderr).toContain("copy-not-found");
  });

  test("logs tells what was said, and cancel stops it or says what it would do", async () => {
    const world = worldOf(running, failed);
    expect((await runInMemory(["copy", "logs", running.copyId], { world })).exitCode).toBe(0);
    const asked = await runInMemory(["copy", "cancel", running.copyId, "--dry-run"], { world });
    expect(asked.stdout).toContain("leave what arrived whole at the destination");
    expect(world.calls.some(({ method }) => method === "cancelCopy")).toBe(false);
    expect((await runInMemory(["copy", "cancel", running.copyId], { world })).stdout).toContain("Cancelled");
    const ended = await runInMemory(["copy", "cancel", failed.copyId, "--dry-run"], { world });
    expect(ended.stderr).toContain("already-finished");
  });
});
