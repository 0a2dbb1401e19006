import { fork } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openFilesystemStore } from "../../src/stores/filesystem/filesystem-store.ts";
import type { FilesPlan } from "../../src/core/restore/restore.ts";
import { dyingStore, dyingTarget, Life } from "../support/dying.ts";
import {
  backUpFolder,
  folderTarget,
  openFilesPlace,
  planTo,
  restoreTo,
  settleTimes,
  snapshot,
  undoTo,
  type FilesPlace,
} from "../support/files-run.ts";

let place: FilesPlace;
let source: string;
let damaged: string;
let backupId: string;
let wanted: string[];
let before: string[];
let plan: FilesPlan;

beforeAll(async () => {
  place = openFilesPlace();
  source = join(place.folder, "source");
  damaged = join(place.folder, "damaged");
  for (const folder of ["a/b", "empty", "gone/deep"]) mkdirSync(join(source, folder), { recursive: true });
  writeFileSync(join(source, "a/1"), "one");
  writeFileSync(join(source, "a/b/2"), "two");
  writeFileSync(join(source, "gone/deep/3"), "three");
  writeFileSync(join(source, "large"), Buffer.alloc(1_500_000, "large"));
  symlinkSync("a/1", join(source, "link"));
  settleTimes(source);
  backupId = (await backUpFolder(place, source, { number: 1 })).backupId;
  wanted = snapshot(source);

  cpSync(source, damaged, { recursive: true, verbatimSymlinks: true });
  writeFileSync(join(damaged, "a/1"), "eno");
  writeFileSync(join(damaged, "a/more"), "not in the backup");
  writeFileSync(join(damaged, "large"), Buffer.alloc(1_200_000, "small"));
  rmSync(join(damaged, "gone"), { recursive: true });
  writeFileSync(join(damaged, "gone"), "a file where a folder was");
  rmSync(join(damaged, "link"));
  mkdirSync(join(damaged, "link/x"), { recursive: true });
  writeFileSync(join(damaged, "link/x/y"), "y");
  settleTimes(damaged, 1_710_000_000);
  before = snapshot(damaged);
  plan = (await planTo(place, damaged, backupId, { mode: "mirror" })).plan;
});
afterAll(() => place.close());

const copyDamaged = (name: string): string => {
  const path = join(place.folder, name);
  cpSync(damaged, path, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  settleTimes(path, 1_710_000_000);
  return path;
};

/** Restores with a life of so many calls to store and target; says whether it got to its end. */
async function restoreWithLife(path: string, restore: number, life: Life): Promise<boolean> {
  const run = { ...place.run, store: dyingStore(place.run.store, life) };
  const target = dyingTarget(folderTarget(path, restore), life);
  try {
    await restoreTo(place, path, backupId, { restore, mode: "mirror", plan, run, target });
    return true;
  } catch (error) {
    if (!life.isOver) throw error;
    return false;
  }
}

test("a restore killed between any two steps is undone exactly", async () => {
  let isDone = false;
  let lives = 0;
  for (let calls = 1; !isDone; calls += 1) {
    const path = copyDamaged(`undo-${calls}`);
    isDone = await restoreWithLife(path, calls, new Life(calls));
    await undoTo(place, path, { restore: calls });
    expect({ calls, state: snapshot(path) }).toEqual({ calls, state: before });
    rmSync(path, { recursive: true });
    lives = calls;
  }
  expect(lives).toBeGreaterThan(20);
});

test("a restore killed between any two steps goes on when it is run again, and is undone exactly then", async () => {
  let isDone = false;
  for (let calls = 1; !isDone; calls += 1) {
    const restore = 1000 + calls;
    const path = copyDamaged(`again-${calls}`);
    isDone = await restoreWithLife(path, restore, new Life(calls));
    await restoreTo(place, path, backupId, { restore, mode: "mirror", plan });
    expect({ calls, state: snapshot(path) }).toEqual({ calls, state: wanted });
    await undoTo(place, path, { restore });
    expect({ calls, state: snapshot(path) }).toEqual({ calls, state: before });
    rmSync(path, { recursive: true });
  }
});

test("an undo killed between any two steps goes on when it is run again", async () => {
  const undoWithLife = async (path: string, restore: number, life: Life): Promise<boolean> => {
    const target = dyingTarget(folderTarget(path, restore), life);
    try {
      await undoTo(place, path, { restore, target });
      return true;
    } catch (error) {
      if (!life.isOver) throw error;
      return false;
    }
  };
  let isDone = false;
  for (let calls = 1; !isDone; calls += 1) {
    const restore = 2000 + calls;
    const path = copyDamaged(`undo-again-${calls}`);
    await restoreTo(place, path, backupId, { restore, mode: "mirror", plan });
    expect({ calls, state: snapshot(path) }).toEqual({ calls, state: wanted });
    isDone = await undoWithLife(path, restore, new Life(calls));
    await undoTo(place, path, { restore });
    expect({ calls, state: snapshot(path) }).toEqual({ calls, state: before });
    rmSync(path, { recursive: true });
  }
});

test("a restoring process killed with SIGKILL at any moment is undone exactly, or goes on", async () => {
  const repository = join(place.folder, "repository");
  const real = openFilesPlace(openFilesystemStore(repository));
  const many = join(real.folder, "many");
  for (let i = 0; i < 40; i += 1) {
    mkdirSync(join(many, `folder-${i}`), { recursive: true });
    for (let j = 0; j < 25; j += 1)
      writeFileSync(join(many, `folder-${i}`, `${j}.txt`), `content ${i} ${j}`.repeat(50));
  }
  settleTimes(many);
  const id = (await backUpFolder(real, many, { number: 1 })).backupId;
  const whole = snapshot(many);
  const broken = join(real.folder, "broken");
  const program = join(import.meta.dirname, "../support/restore-program.ts");
  for (let round = 0; round < 6; round += 1) {
    cpSync(many, broken, { recursive: true });
    for (let i = 0; i < 40; i += 2) writeFileSync(join(broken, `folder-${i}`, "3.txt"), `broken ${i}`);
    rmSync(join(broken, "folder-7"), { recursive: true });
    settleTimes(broken, 1_710_000_000);
    const state = snapshot(broken);
    const restore = 1 + round;
    const child = fork(program, [repository, join(real.folder, "keys"), broken, id, String(restore)], {
      execArgv: [],
    });
    await once(child, "message");
    // From here on it changes the folder; the moment differs from round to round.
    const until = performance.now() + round * 12;
    while (performance.now() < until) await new Promise((resolve) => setImmediate(resolve));
    child.kill("SIGKILL");
    await once(child, "exit");
    const goesOn = round % 2 === 0;
    if (goesOn) await restoreTo(real, broken, id, { restore });
    expect(!goesOn || snapshot(broken).join() === whole.join()).toBe(true);
    await undoTo(real, broken, { restore });
    expect(snapshot(broken)).toEqual(state);
    expect(existsSync(join(broken, "folder-7"))).toBe(false);
    rmSync(broken, { recursive: true });
  }
  real.close();
});
