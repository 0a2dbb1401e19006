import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
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
} from "../../../test/support/files-run.ts";
import { Failure } from "../../core/failure.ts";

let place: FilesPlace;
let source: string;
let target: string;
let backupId: string;

beforeEach(async () => {
  place = openFilesPlace();
  source = join(place.folder, "source");
  target = join(place.folder, "target");
  mkdirSync(source);
  make(source);
  backupId = (await backUpFolder(place, source, { number: 1 })).backupId;
});
afterEach(() => place.close());

const large = Buffer.alloc(3_000_000, "large content, ");

/** A bit of everything. */
function make(root: string): void {
  for (const folder of ["docs/2025", "empty", "deep/er/still"])
    mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, "docs/a.txt"), "a".repeat(2000));
  writeFileSync(join(root, "docs/2025/b.pdf"), "b");
  writeFileSync(join(root, "docs/nothing"), "");
  writeFileSync(join(root, "large.bin"), large);
  writeFileSync(Buffer.concat([Buffer.from(`${root}/caf`), Buffer.from([0xe9])]), "latin");
  writeFileSync(join(root, "n".repeat(255)), "long name");
  symlinkSync("docs/a.txt", join(root, "link"));
  symlinkSync("/nowhere", join(root, "docs/broken"));
  chmodSync(join(root, "docs/a.txt"), 0o640);
  chmodSync(join(root, "deep/er"), 0o750);
  settleTimes(root);
}

describe("a restore of files", () => {
  test("into a folder that does not exist makes it equal to the source", async () => {
    const { plan, blockers } = await planTo(place, target, backupId);
    expect(blockers).toEqual([]);
    expect(plan).toMatchObject({ add: 14, change: 0, remove: 0, unchanged: 0 });
    const evidence = await restoreTo(place, target, backupId, { plan });
    expect(evidence).toMatchObject({ added: 14, replaced: 0, removed: 0, verified: 6 });
    expect(snapshot(target)).toEqual(snapshot(source));
  });

  test("as a mirror leaves alone what the backup's own filters left out, and the folders it is in", async () => {
    mkdirSync(join(source, "gone/thumbnails"), { recursive: true });
    mkdirSync(join(source, "docs/thumbnails"));
    for (const name of ["gone/thumbnails/1.png", "docs/thumbnails/2.png"])
      writeFileSync(join(source, name), "thumb");
    const spec = { excludePatterns: ["*/thumbnails/*"] };
    const filtered = (await backUpFolder(place, source, { number: 2, spec })).backupId;
    rmSync(join(source, "large.bin"));
    mkdirSync(join(source, "later/thumbnails"), { recursive: true });
    writeFileSync(join(source, "later/thumbnails/3.png"), "thumb");
    writeFileSync(join(source, "later/surplus.txt"), "goes");
    const { plan } = await planTo(place, source, filtered, { mode: "mirror" });
    expect(plan).toMatchObject({ add: 1, remove: 1 });
    await restoreTo(place, source, filtered, { mode: "mirror", plan });
    const thumbnails = ["gone/thumbnails/1.png", "docs/thumbnails/2.png", "later/thumbnails/3.png"];
    expect(thumbnails.map((name) => existsSync(join(source, name)))).toEqual([true, true, true]);
    expect(existsSync(join(source, "later/surplus.txt"))).toBe(false);
    expect(readFileSync(join(source, "large.bin")).equals(large)).toBe(true);
  });

  test("twice changes nothing the second time", async () => {
    await restoreTo(place, target, backupId);
    const { plan } = await planTo(place, target, backupId, { restore: 2 });
    expect(plan).toMatchObject({ add: 0, change: 0, remove: 0, unchanged: 14, bytesToWrite: 0 });
    const before = snapshot(target);
    await restoreTo(place, target, backupId, { restore: 2 });
    expect(snapshot(target)).toEqual(before);
  });

  test("over the source touches only what differs, and an undo brings all of that back", async () => {
    const whole = snapshot(source);
    damage(source);
    const damaged = snapshot(source);
    const { plan } = await planTo(place, source, backupId, { mode: "mirror" });
    await restoreTo(place, source, backupId, { mode: "mirror", plan });
    expect(snapshot(source)).toEqual(whole);
    await undoTo(place, source);
    expect(snapshot(source)).toEqual(damaged);
    // Once more, and nothing happens.
    expect(await undoTo(place, source)).toEqual({ restored: 0, removed: 0 });
    expect(snapshot(source)).toEqual(damaged);
  });

  test("counts in the plan what it then does", async () => {
    damage(source);
    const { plan } = await planTo(place, source, backupId, { mode: "mirror" });
    const evidence = await restoreTo(place, source, backupId, { mode: "mirror", plan });
    expect(evidence).toMatchObject({
      added: plan.add,
      replaced: plan.change,
      removed: plan.remove,
      unchanged: plan.unchanged,
      bytesWritten: plan.bytesToWrite,
    });
  });

  test("that merges leaves what is not in the backup alone", async () => {
    writeFileSync(join(source, "new"), "new");
    rmSync(join(source, "link"));
    await restoreTo(place, source, backupId);
    expect(readFileSync(join(source, "new"), "utf8")).toBe("new");
    expect(readlinkSync(join(source, "link"))).toBe("docs/a.txt");
  });

  test("finds a byte that was changed without a trace in size or time", async () => {
    const path = join(source, "docs/a.txt");
    const { atime, mtime } = lstatSync(path);
    writeFileSync(path, `b${"a".repeat(1999)}`);
    utimesSync(path, atime, mtime);
    const damaged = snapshot(source);
    expect((await planTo(place, source, backupId)).plan).toMatchObject({ change: 1 });
    await restoreTo(place, source, backupId);
    expect(readFileSync(path, "utf8")).toBe("a".repeat(2000));
    await undoTo(place, source);
    expect(snapshot(source)).toEqual(damaged);
  });

  test("of some paths brings these, with the folders above them, and nothing else", async () => {
    await restoreTo(place, target, backupId, { include: ["docs/2025/**", "large.bin"] });
    expect(existsSync(join(target, "docs/2025/b.pdf"))).toBe(true);
    expect(existsSync(join(target, "large.bin"))).toBe(true);
    expect(existsSync(join(target, "docs/a.txt"))).toBe(false);
    expect(existsSync(join(target, "empty"))).toBe(false);
    expect(lstatSync(join(target, "docs")).mtimeMs).toBe(lstatSync(join(source, "docs")).mtimeMs);
  });

  test("of one path in a long manifest brings it, wherever it stands, with the folders above it", async () => {
    const large = join(source, "library");
    for (const folder of ["library/first", "library/last"])
      mkdirSync(join(source, folder), { recursive: true });
    for (let i = 0; i < 600; i += 1) writeFileSync(join(large, `middle-${String(i).padStart(3, "0")}`), "x");
    for (const folder of ["first", "last"]) {
      writeFileSync(join(large, folder, 'a "quoted" name.txt'), folder);
      writeFileSync(Buffer.concat([Buffer.from(`${large}/${folder}/`), Buffer.of(0xff)]), folder);
    }
    chmodSync(large, 0o750);
    const { backupId: long } = await backUpFolder(place, source, { number: 2 });
    const restored = ["first", "last"].flatMap((folder) => [
      `${folder}/a "quoted" name.txt`,
      Buffer.concat([Buffer.from(`${folder}/`), Buffer.of(0xff)]),
    ]);
    await restoreTo(place, target, long, { include: ["library/*st/**", "middle-3?7"] });
    for (const name of [...restored, "middle-307"]) {
      const path = Buffer.concat([Buffer.from(`${target}/library/`), Buffer.from(name)]);
      expect(existsSync(path), String(name)).toBe(true);
    }
    expect(readdirSync(join(target, "library")).length).toBe(2 + 10);
    expect(lstatSync(join(target, "library")).mode & 0o777).toBe(0o750);
  });

  test("of paths that match nothing is refused, unless something is to be removed", async () => {
    const include = ["nothing-like-it/**"];
    const { blockers } = await planTo(place, target, backupId, { include });
    expect(blockers).toMatchObject([
      {
        code: "nothing-to-restore",
        message: expect.stringContaining("No file of the backup matches") as string,
      },
    ]);
    mkdirSync(join(target, "nothing-like-it"), { recursive: true });
    writeFileSync(join(target, "nothing-like-it/a"), "a");
    const mirrored = await planTo(place, target, backupId, { include, mode: "mirror" });
    expect(mirrored.blockers).toEqual([]);
    expect(mirrored.plan.remove).toBeGreaterThan(0);
  });

  test("never follows a symlink out of the target", async () => {
    const outside = join(place.folder, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "a.txt"), "outside");
    mkdirSync(target);
    symlinkSync(outside, join(target, "docs"));
    await restoreTo(place, target, backupId);
    expect(snapshot(target)).toEqual(snapshot(source));
    expect(readFileSync(join(outside, "a.txt"), "utf8")).toBe("outside");
    await undoTo(place, target);
    expect(readlinkSync(join(target, "docs"))).toBe(outside);
  });

  test("is blocked where the target is a file", async () => {
    writeFileSync(target, "");
    expect((await planTo(place, target, backupId)).blockers).toMatchObject([{ code: "target-not-a-folder" }]);
    expect((await planTo(place, join(target, "below"), backupId)).blockers).toMatchObject([
      { code: "target-not-a-folder" },
    ]);
  });

  test("is blocked where stored bytes are missing, unless they are not needed", async () => {
    await place.run.store.delete(`backups/retail/${backupId}/a1/files/pack-000001`);
    const { blockers } = await planTo(place, target, backupId);
    expect(blockers).toMatchObject([{ code: "backup-incomplete" }]);
    expect((await planTo(place, target, backupId, { include: ["large.bin", "empty/"] })).blockers).toEqual(
      [],
    );
  });

  test("from damaged bytes fails, puts nothing damaged in place, and comes undone", async () => {
    const name = `backups/retail/${backupId}/a1/files/pack-000001`;
    const pieces: Buffer[] = [];
    for await (const piece of place.run.store.read(name)) pieces.push(Buffer.from(piece));
    const pack = Buffer.concat(pieces);
    pack[pack.length - 5] = (pack[pack.length - 5] ?? 0) ^ 1;
    await place.run.store.replace(name, pack);
    writeFileSync(join(source, "docs/a.txt"), "changed");
    settleTimes(source);
    const before = snapshot(source);
    rmSync(join(source, "n".repeat(255)));
    settleTimes(source, 1_710_000_000);
    const broken = snapshot(source);
    await expect(restoreTo(place, source, backupId)).rejects.toMatchObject({ code: "data-damaged" });
    await undoTo(place, source);
    expect(snapshot(source)).toEqual(broken);
    expect(before.length).toBe(broken.length + 1);
  });

  test("that meets a full disk says so and comes undone", async () => {
    writeFileSync(join(source, "docs/a.txt"), "changed");
    settleTimes(source);
    const before = snapshot(source);
    const inner = folderTarget(source, 1);
    const full = new Proxy(inner, {
      get(object, member) {
        if (member === "writeFile") {
          return () => Promise.reject(new Failure("disk-full", "There is no space left."));
        }
        const value: unknown = Reflect.get(object, member);
        return typeof value === "function" ? (value.bind(object) as unknown) : value;
      },
    });
    await expect(restoreTo(place, source, backupId, { target: full })).rejects.toMatchObject({
      code: "disk-full",
    });
    await undoTo(place, source);
    expect(snapshot(source)).toEqual(before);
  });

  test("never takes a key that leads out of the target", () => {
    for (const key of [
      "../x",
      "a/../../x",
      "/etc/passwd",
      "a//b",
      "./x",
      "a/.",
      "zero\0",
      `${"n".repeat(256)}/x`,
    ]) {
      const inside = folderTarget(source, 1);
      expect(() => inside.look(key)).toThrowError(
        expect.objectContaining({ code: "path-not-restorable" }) as Failure,
      );
      expect(() => inside.makeFolder(`${key}/`)).toThrowError("cannot be restored to a folder");
    }
  });

  test("comes undone, but for a file removed since of which only the mode was set", async () => {
    chmodSync(join(source, "docs/2025/b.pdf"), 0o600);
    chmodSync(join(source, "docs/nothing"), 0o600);
    await restoreTo(place, source, backupId);
    rmSync(join(source, "docs/2025/b.pdf"));
    await undoTo(place, source);
    expect(lstatSync(join(source, "docs/nothing")).mode & 0o777).toBe(0o600);
    expect(existsSync(join(source, "docs/2025/b.pdf"))).toBe(false);
    expect(place.logs.join()).toContain("docs/2025/b.pdf");
  });

  test("undone leaves what was changed after it, and names it", async () => {
    await restoreTo(place, target, backupId);
    writeFileSync(join(target, "docs/a.txt"), "changed by the application");
    writeFileSync(join(target, "docs/new"), "new");
    await undoTo(place, target);
    expect(snapshot(target).map((line) => line.split(" ")[0])).toEqual(["docs/", "docs/a.txt", "docs/new"]);
    expect(place.logs.join()).toContain("docs/a.txt");
  });
});

/** Everything that can be wrong with a folder. */
function damage(root: string): void {
  rmSync(join(root, "docs/2025"), { recursive: true });
  writeFileSync(join(root, "docs/a.txt"), "corrupt");
  chmodSync(join(root, "docs/nothing"), 0o600);
  writeFileSync(join(root, "docs/more"), "not in the backup");
  cpSync(join(root, "docs"), join(root, "copy/of/docs"), { recursive: true, verbatimSymlinks: true });
  rmSync(join(root, "link"));
  mkdirSync(join(root, "link/with/content"), { recursive: true });
  writeFileSync(join(root, "link/with/content/x"), "x");
  writeFileSync(join(root, "link-like"), "between the two in order");
  rmSync(join(root, "deep"), { recursive: true });
  writeFileSync(join(root, "deep"), "a file where a folder was");
  rmSync(join(root, "empty"), { recursive: true });
  symlinkSync("docs", join(root, "empty"));
  const bytes = readFileSync(join(root, "large.bin"));
  bytes[1_500_000] = 0;
  writeFileSync(join(root, "large.bin"), bytes);
  settleTimes(root, 1_710_000_000);
}
