import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runInMemory, wordsOf } from "../../../test/support/memory-terminal.ts";

describe("schedule", () => {
  test("create says what is given, and that it must be new", async () => {
    const said =
      "schedule create nightly --project retail --environment prod --tz Europe/Berlin --overlap queue";
    const words = wordsOf(
      `${said} --window 01:00-05:00 --window-end stop --start-within 30m --missed skip --suspended`,
    );
    words.push("--cron", "0 2 * * *");
    const { exitCode, stdout, stderr, world } = await runInMemory(words);
    expect(exitCode).toBe(0);
    expect(world.calls).toEqual([
      {
        method: "putSchedule",
        arguments: [
          {
            projectId: "retail",
            name: "nightly",
            backup: { environment: "prod", provider: "local" },
            cron: "0 2 * * *",
            timeZone: "Europe/Berlin",
            windows: ["01:00-05:00"],
            windowEnd: "stop",
            startWithinSeconds: 1800,
            missed: "skip",
            overlap: "queue",
            suspended: true,
          },
          { condition: "absent", dryRun: false },
        ],
      },
    ]);
    expect(stderr).toBe("Schedule nightly of project retail: made.\n");
    expect(stdout).toContain("01:00-05:00; at the end: stop");
    expect(stdout).toContain("suspended");
  });

  test("create may name sources instead of an environment, and a recovery point objective instead of times", async () => {
    const words =
      "schedule create often --database postgres://db/shop --files /srv/dl --rpo 60m --replace --dry-run";
    const { stdout, world } = await runInMemory(wordsOf(words));
    expect(world.calls[0]?.arguments).toMatchObject([
      {
        projectId: "default",
        name: "often",
        rpoSeconds: 3600,
        backup: { database: { url: "postgres://db/shop" }, storage: { url: "file:///srv/dl" } },
      },
      { condition: "any", dryRun: true },
    ]);
    expect(stdout).toContain("rpo 1 h");
  });

  test("create names the schedule after its environment where no name is given", async () => {
    const { world } = await runInMemory(wordsOf("schedule create --environment prod --cron @daily"));
    expect(world.calls[0]?.arguments).toMatchObject([{ name: "prod" }, {}]);
  });

  test("create takes a file, and what is said beside it wins", async () => {
    const folder = await mkdtemp(join(tmpdir(), "lc2-schedules-"));
    const file = join(folder, "nightly.yaml");
    await writeFile(
      file,
      "name: nightly\nprojectId: retail\ncron: '@daily-random'\nbackup:\n  storage: { url: 'file:///srv/dl' }\n",
    );
    const { world } = await runInMemory(["schedule", "create", "-f", file, "--cron", "0 3 * * *"]);
    expect(world.calls[0]?.arguments[0]).toMatchObject({
      projectId: "retail",
      name: "nightly",
      cron: "0 3 * * *",
      backup: { provider: "local", storage: { url: "file:///srv/dl" } },
    });
    await rm(folder, { recursive: true });
  });

  test.each([
    ["schedule create a --cron @daily --rpo 60m", "--rpo: does not go with --cron"],
    [
      "schedule create a --cron @daily --files /a --bucket s3://backups",
      "--bucket: does not go with --files",
    ],
    ["schedule create a --cron @daily", "nothing to back up"],
    ["schedule create --cron @daily --files /a", "The schedule needs a name"],
    ["schedule create a --cron @daily --overlap never", "skip, queue"],
  ])("%s is refused", async (words, why) => {
    const { exitCode, stderr, world } = await runInMemory(wordsOf(words));
    expect(exitCode).toBe(2);
    expect(stderr).toContain(why);
    expect(world.calls).toEqual([]);
  });

  test("list, get, next and history show what there is", async () => {
    const list = await runInMemory(wordsOf("schedule list -o wide"));
    expect(list.stdout).toMatch(
      /nightly +default +0 2 \* \* \* +Europe\/Berlin +2026-11-25T01:00:00\.000Z +missed/,
    );
    expect((await runInMemory(wordsOf("schedule list -o name"))).stdout).toBe("nightly\n");
    expect((await runInMemory(wordsOf("schedule get nightly"))).stdout).toContain(
      "No server saw it in time.",
    );
    expect((await runInMemory(wordsOf("schedule get nightly -o name"))).stdout).toBe("nightly\n");
    const next = await runInMemory(wordsOf("schedule next nightly --count 2"));
    expect(next.stdout).toContain("2026-11-25 02:00 CET");
    expect(next.stdout).toContain("not: no window opens in time");
    const history = await runInMemory(wordsOf("schedule history nightly --outcome missed"));
    expect(history.stdout).toMatch(/2026-11-24T01:00:00\.000Z +missed/);
    expect(history.world.calls[0]?.arguments[0]).toMatchObject({ schedule: "nightly", outcome: "missed" });
  });

  test("suspend, resume, run-now and delete do so", async () => {
    expect((await runInMemory(wordsOf("schedule suspend nightly"))).stdout).toContain("suspended");
    expect((await runInMemory(wordsOf("schedule resume nightly"))).world.calls[0]?.arguments[1]).toBe(false);
    expect((await runInMemory(wordsOf("schedule run-now nightly"))).stdout).toContain("backup-");
    const { stdout, world } = await runInMemory(wordsOf("schedule delete nightly"));
    expect(stdout).toBe("Schedule nightly of project default is forgotten; its backups stay.\n");
    expect(world.schedules.size).toBe(0);
    const gone = await runInMemory(wordsOf("schedule get other"));
    expect(gone.exitCode).toBe(4);
  });
});
