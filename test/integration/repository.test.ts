import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Failure } from "../../src/core/failure.ts";
import type { RepositoryLease } from "../../src/core/repository/lease.ts";
import { KeyfileService } from "../../src/keys/keyfile/keyfile-service.ts";
import { openFilesystemStore } from "../../src/stores/filesystem/filesystem-store.ts";
import { browseBackup } from "../../src/worker/read/browse-backup.ts";
import { checkRepository } from "../../src/worker/repository/check-repository.ts";
import { deleteBackup } from "../../src/worker/repository/delete-backup.ts";
import { readObject } from "../../src/worker/streams/read-object.ts";
import { readMetadata } from "../../src/worker/repository/read-metadata.ts";
import { withExclusiveLease, withSharedLease } from "../../src/worker/repository/repository-lease.ts";
import { ensureRepository, openRepository } from "../../src/worker/repository/repository.ts";
import { scanRepository } from "../../src/worker/repository/scan-repository.ts";
import { sweepRepository } from "../../src/worker/repository/sweep-repository.ts";
import type { TaskRun } from "../../src/worker/task.ts";
import { verifyStored } from "../../src/worker/read/verify-stored.ts";
import { changedStore } from "../support/changed-store.ts";
import {
  backUpFolder,
  backupIdOf,
  openFilesPlace,
  sealFiles,
  storeFiles,
  type FilesPlace,
} from "../support/files-run.ts";

let place: FilesPlace;
let source: string;
let root: string;

beforeEach(() => {
  const outer = openFilesPlace();
  root = join(outer.folder, "repository");
  mkdirSync(root);
  place = { ...outer, run: withStore(outer.run, root) };
  source = join(outer.folder, "source");
  mkdirSync(source);
  writeFileSync(join(source, "old.txt"), "kept since the first backup\n".repeat(100));
  writeFileSync(join(source, "large.bin"), Buffer.alloc(3 * 1024 * 1024, "large "));
});

afterEach(() => place.close());

function withStore(run: TaskRun, folder: string): TaskRun {
  const store = openFilesystemStore(folder);
  return { ...run, store, context: { ...run.context, repository: store.url } };
}

const frame = (run: TaskRun) => ({ context: run.context, lease: { seconds: 30 } });

const remove = (number: number, dryRun = false) =>
  deleteBackup(
    { ...frame(place.run), kind: "delete-backup", backupId: backupIdOf(number), dryRun },
    place.run,
  );

const sweep = (minimumAgeSeconds: number, run = place.run) =>
  sweepRepository({ ...frame(run), kind: "sweep-repository", dryRun: false, minimumAgeSeconds }, run);

const check = (readData = true, subset?: { part: number; of: number }) =>
  checkRepository(
    {
      ...frame(place.run),
      kind: "check-repository",
      readData,
      onlyProject: false,
      ...(subset === undefined ? {} : { subset }),
    },
    place.run,
  );

async function names(prefix = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const object of place.run.store.list(prefix)) found.push(object.name);
  return found;
}

const verify = (number: number) => verifyStored(place.run, backupIdOf(number), { onBytes: () => undefined });

/** Adds a file and backs up again: the rest is by reference to backup 1. */
async function backUpTwice(): Promise<void> {
  await backUpFolder(place, source, { number: 1 });
  writeFileSync(join(source, "new.txt"), "added for the second backup\n");
  const second = await backUpFolder(place, source, { number: 2 });
  expect(second.components.files).toMatchObject({
    newObjects: 1,
    unchangedObjects: 2,
    references: [backupIdOf(1)],
  });
}

describe("deleting", () => {
  it("destroys the keyring and every byte, and says so", async () => {
    await backUpFolder(place, source, { number: 1 });
    const result = await remove(1);
    expect(result).toMatchObject({ keyringDestroyed: true, keptFiles: 0, filesKeyHeldBy: [] });
    expect(await names("backups/")).toEqual([]);
  });

  it("keeps the stored bytes that a later backup refers to, which stays whole", async () => {
    await backUpTwice();
    const result = await remove(1);
    expect(result).toMatchObject({ keyringDestroyed: true, filesKeyHeldBy: [backupIdOf(2)] });
    expect(result.keptFiles).toBe(2);
    expect((await verify(2)).damages).toEqual([]);
    await expect(readMetadata(place.run, backupIdOf(1))).rejects.toMatchObject({ code: "backup-not-found" });
  });

  it("takes the kept bytes too once the last backup that needs them is gone", async () => {
    await backUpTwice();
    await remove(1);
    await remove(2);
    await sweep(0);
    expect(await names("backups/")).toEqual([]);
  });

  it("changes nothing when dry, and the second time says that there is no such backup", async () => {
    await backUpFolder(place, source, { number: 1 });
    const before = await names();
    expect((await remove(1, true)).deletedFiles).toBeGreaterThan(3);
    expect(await names()).toEqual(before);
    await remove(1);
    await expect(remove(1)).rejects.toMatchObject({ code: "backup-not-found" });
  });

  it("goes on where a process died after the keyring was destroyed", async () => {
    await backUpTwice();
    await place.run.store.delete(`backups/retail/${backupIdOf(1)}/keyring.json`);
    expect(await remove(1)).toMatchObject({ keyringDestroyed: true });
    expect((await verify(2)).damages).toEqual([]);
  });

  it("deletes nothing when it cannot read what another backup needs", async () => {
    await backUpTwice();
    await place.run.store.delete(`backups/retail/${backupIdOf(2)}/keyring.json`);
    const before = await names();
    await expect(remove(1)).rejects.toBeInstanceOf(Failure);
    expect(await names()).toEqual(before);
  });

  it("deletes nothing when a backup's list of what it needs was emptied by hand", async () => {
    await backUpTwice();
    const name = `backups/retail/${backupIdOf(2)}/metadata.json`;
    const text = (await readObject(place.run.store, name)).toString();
    const edited = JSON.parse(text) as { components: { files: { references: string[] } } };
    edited.components.files.references = [];
    await place.run.store.replace(name, Buffer.from(JSON.stringify(edited)));
    const before = await names();
    await expect(remove(1)).rejects.toMatchObject({ code: "metadata-damaged" });
    expect(await names()).toEqual(before);
  });

  it("waits for another installation's running backup, and is refused when that goes on", async () => {
    await backUpFolder(place, source, { number: 1 });
    const before = await names();
    // Another host: its process cannot be looked at, so only the expiry counts.
    const lease: RepositoryLease = {
      format: "lc2-lease",
      kind: "shared",
      id: "ffffffffffff",
      holder: "backing up elsewhere",
      expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      process: { namespace: "other-host/boot/pid:[1]", pid: 1 },
    };
    await place.run.store.replace("leases/shared-ffffffffffff.json", Buffer.from(JSON.stringify(lease)));
    let now = Date.now();
    // Each look at the clock is ten seconds later, so waiting ends without waiting.
    const run = { ...place.run, clock: { nowMs: () => (now += 10_000) } };
    const task = { ...frame(run), kind: "delete-backup" as const, backupId: backupIdOf(1), dryRun: false };
    await expect(deleteBackup(task, run)).rejects.toMatchObject({
      code: "repository-busy",
      retry: "backoff",
    });
    expect(await names("backups/")).toEqual(before.filter((name) => name.startsWith("backups/")));
  });
});

describe("leases", () => {
  it("let many refer at once, and keep whoever deletes out", async () => {
    const order: string[] = [];
    const entered = Promise.withResolvers<void>();
    const leave = Promise.withResolvers<void>();
    const first = withSharedLease(place.run, "first", async () => {
      order.push("first in");
      entered.resolve();
      await leave.promise;
      order.push("first out");
    });
    await entered.promise;
    await withSharedLease(place.run, "second", async () => void order.push("second"));
    const deleting = withExclusiveLease(place.run, "deleting", async () => void order.push("deleting"));
    leave.resolve();
    await Promise.all([first, deleting]);
    expect(order).toEqual(["first in", "second", "first out", "deleting"]);
    expect(await names("leases/")).toEqual([]);
  });

  it("of a process that died on this machine do not count", async () => {
    let held: Buffer | undefined;
    await withSharedLease(place.run, "will die", async () => {
      held = await readObject(place.run.store, (await names("leases/"))[0] ?? "");
    });
    const dead = { ...(JSON.parse(String(held)) as RepositoryLease), id: "dddddddddddd" };
    // Process ids end at 4,194,304 on Linux: this one never was.
    const lease = { ...dead, process: { ...dead.process, pid: 4_194_305 } };
    await place.run.store.replace("leases/shared-dddddddddddd.json", Buffer.from(JSON.stringify(lease)));
    expect(await withExclusiveLease(place.run, "deleting", async () => "in")).toBe("in");
  });
});

describe("a lease that cannot be read", () => {
  it("keeps deletes out while it may count, and is taken away when it cannot count any more", async () => {
    await place.run.store.replace("leases/shared-eeeeeeeeeeee.json", Buffer.from("{ half a"));
    let now = Date.now();
    const run = { ...place.run, clock: { nowMs: () => (now += 10_000) } };
    await expect(withExclusiveLease(run, "deleting", async () => "in")).rejects.toMatchObject({
      code: "repository-busy",
    });
    now += 300_000;
    expect(await withExclusiveLease(run, "deleting", async () => "in")).toBe("in");
    expect(await names("leases/")).toEqual([]);
  });
});

describe("sweeping", () => {
  it("removes what a killed worker had half written, once it is old enough", async () => {
    await backUpFolder(place, source, { number: 1 });
    const before = readdirSync(root, { recursive: true })
      .map(String)
      .toSorted((a, b) => (a < b ? -1 : 1));
    const killed = await place.run.store.write(`backups/retail/${backupIdOf(1)}/a2/database/shop.dump`);
    await killed.write(Buffer.alloc(1000));
    expect(await sweep(24 * 3600)).toMatchObject({ deletedFiles: 0, keptYoung: 1 });
    expect(await sweep(0)).toMatchObject({ deletedFiles: 1, deletedBytes: 1000 });
    expect(
      readdirSync(root, { recursive: true })
        .map(String)
        .toSorted((a, b) => (a < b ? -1 : 1)),
    ).toEqual(before);
    await killed.abort();
  });

  it("removes what a killed worker only tried out, and nothing of another program beside it", async () => {
    await backUpFolder(place, source, { number: 1 });
    const tried = "probe/5e8dd31c86d7496d/condition";
    for (const name of [tried, "probe/apollo/moon.jpg"])
      await place.run.store.createIfAbsent(name, Buffer.from("lc2"));
    expect(await sweep(24 * 3600)).toMatchObject({ deletedFiles: 0, keptYoung: 1 });
    expect(await sweep(0)).toMatchObject({ removed: [tried] });
    expect(await names("probe/")).toEqual(["probe/apollo/moon.jpg"]);
  });

  it("goes on where the bucket locks what was only tried out", async () => {
    await storeFiles(place, source, { number: 1 });
    const inner = place.run.store;
    await inner.createIfAbsent("probe/5e8dd31c86d7496d/condition", Buffer.from("lc2"));
    const store = changedStore(inner, {
      delete: async (name) => {
        if (name.startsWith("probe/")) throw new Failure("object-locked", `${name} is under retention`);
        return await inner.delete(name);
      },
    });
    const { removed } = await sweep(0, { ...place.run, store });
    expect(removed.filter((name) => !name.startsWith("backups/"))).toEqual([]);
    expect(await names("backups/")).toEqual([]);
  });

  it("removes an attempt that was never sealed, once it is old enough", async () => {
    await storeFiles(place, source, { number: 1 });
    expect(await sweep(24 * 3600)).toMatchObject({ deletedFiles: 0 });
    expect((await sweep(0)).deletedFiles).toBeGreaterThan(2);
    expect(await names("backups/")).toEqual([]);
  });

  it("leaves alone, and names, what another program keeps below backups/", async () => {
    await backUpFolder(place, source, { number: 1 });
    const others = ["phone/2026-11-24/photo.jpg", "My Phone/a/b.jpg", "retail/manual copy/c.jpg"];
    for (const name of others) {
      mkdirSync(dirname(join(root, "backups", name)), { recursive: true });
      writeFileSync(join(root, "backups", name), "not ours");
    }
    expect(await sweep(0)).toMatchObject({ deletedFiles: 0, removed: [] });
    for (const name of others) expect(existsSync(join(root, "backups", name))).toBe(true);
    for (const name of ["2026-11-24", "My Phone", "manual copy"])
      expect(place.logs.join("\n")).toContain(JSON.stringify(name));
    expect((await check()).damages).toEqual([]);
  });

  it("never touches a sealed backup or what it needs of an unsealed one", async () => {
    await storeFiles(place, source, { number: 1 });
    writeFileSync(join(source, "new.txt"), "more\n");
    const second = await backUpFolder(place, source, { number: 2 });
    expect(second.components.files?.references).toEqual([backupIdOf(1)]);
    await sweep(0);
    expect((await verify(2)).damages).toEqual([]);
  });

  it("leaves a project alone whose metadata.json was edited to need nothing", async () => {
    await backUpFolder(place, source, { number: 1 });
    const name = `backups/retail/${backupIdOf(1)}/metadata.json`;
    const metadata = JSON.parse((await readObject(place.run.store, name)).toString()) as object;
    await place.run.store.replace(name, Buffer.from(JSON.stringify({ ...metadata, components: {} })));
    const before = await names("backups/");
    expect(await sweep(0)).toMatchObject({ deletedFiles: 0 });
    expect(await names("backups/")).toEqual(before);
    expect(place.logs.join("\n")).toMatch(/Project retail was left alone.*signature/);
  });

  it("leaves a project alone whose key is not here", async () => {
    await backUpTwice();
    await remove(1);
    const before = await names("backups/");
    const foreign = { ...place.run, keys: new KeyfileService(join(place.folder, "no-keys")) };
    expect(await sweep(0, foreign)).toMatchObject({ deletedFiles: 0 });
    expect(await names("backups/")).toEqual(before);
    expect(place.logs.join("\n")).toMatch(/Project retail was left alone/);
  });
});

describe("checking", () => {
  it("finds a whole repository whole, and reports unsealed leftovers without calling them damage", async () => {
    await backUpTwice();
    await storeFiles(place, source, { number: 3 });
    const result = await check();
    expect(result).toMatchObject({ backups: 2, damages: [] });
    expect(result.leftovers.every((leftover) => leftover.name.includes(backupIdOf(3)))).toBe(true);
    expect(result.leftovers.length).toBeGreaterThan(0);
  });

  it("reads everything once in m parts of n/m", async () => {
    await backUpTwice();
    const whole = await check();
    const parts = await Promise.all([1, 2, 3].map((part) => check(true, { part, of: 3 })));
    expect(parts.reduce((sum, part) => sum + part.files, 0)).toBe(whole.files);
  });

  it.each([
    ["metadata.json edited", "metadata.json", edit('"objects": 2', '"objects": 1'), "metadata-damaged"],
    ["metadata.json cut", "metadata.json", (bytes: Buffer) => bytes.subarray(0, 100), "metadata-damaged"],
    [
      "keyring.json: one wrapped byte",
      "keyring.json",
      edit('"wrapped": "', '"wrapped": "AAAA'),
      "keyring-damaged",
    ],
    ["manifest: one flipped bit", "a1/files/manifest", flipLastByte, "data-damaged"],
    [
      "manifest: truncated",
      "a1/files/manifest",
      (bytes: Buffer) => bytes.subarray(0, -1),
      "backup-incomplete",
    ],
    ["pack: one flipped bit", "a1/files/pack-000001", flipLastByte, "data-damaged"],
    [
      "pack: truncated",
      "a1/files/pack-000001",
      (bytes: Buffer) => bytes.subarray(0, -1),
      "backup-incomplete",
    ],
  ])("tells %s", async (_, name, damage, code) => {
    await backUpFolder(place, source, { number: 1 });
    const full = `backups/retail/${backupIdOf(1)}/${await realName(name)}`;
    await place.run.store.replace(full, damage(await readObject(place.run.store, full)));
    const result = await check();
    expect(result.damages.map((found) => found.code)).toContain(code);
    expect(result.damages[0]?.message).toMatch(/[.!]$/);
  });

  it.each(["manifest", "pack"])("tells a missing %s", async (name) => {
    await backUpFolder(place, source, { number: 1 });
    await place.run.store.delete(`backups/retail/${backupIdOf(1)}/${await realName(`a1/files/${name}`)}`);
    expect((await check(false)).damages[0]).toMatchObject({ code: "backup-incomplete" });
  });

  it("tells a file of another backup that was put in", async () => {
    await backUpFolder(place, source, { number: 1 });
    appendFileSync(join(source, "old.txt"), "changed\n");
    await backUpFolder(place, source, { number: 2 });
    const manifest = (number: number) => `backups/retail/${backupIdOf(number)}/a1/files/manifest`;
    await place.run.store.replace(manifest(2), await readObject(place.run.store, manifest(1)));
    expect((await verify(2)).damages.length).toBeGreaterThan(0);
    expect((await verify(1)).damages).toEqual([]);
  });
});

describe("scanning", () => {
  const scan = (run = place.run) =>
    scanRepository({ ...frame(run), kind: "scan-repository", onlyProject: false }, run);

  it("finds every sealed backup from the repository alone", async () => {
    await backUpTwice();
    await storeFiles(place, source, { number: 3 });
    const result = await scan();
    expect(result.backups.map((backup) => backup.backupId)).toEqual([backupIdOf(1), backupIdOf(2)]);
    expect(result).toMatchObject({ unsealed: 1, incomplete: [], notes: [] });
  });

  it("names what a folder copied by hand lacks", async () => {
    await backUpTwice();
    rmSync(join(root, "backups/retail", backupIdOf(1)), { recursive: true });
    const { incomplete } = await scan();
    expect(incomplete[0]?.backupId).toBe(backupIdOf(2));
    expect(incomplete[0]?.missing.join()).toContain(backupIdOf(1));
  });

  it("lists backups of a project whose key is not here, and says so", async () => {
    await backUpFolder(place, source, { number: 1 });
    const foreign = { ...place.run, keys: new KeyfileService(join(place.folder, "no-keys")) };
    const result = await scan(foreign);
    expect(result.backups).toHaveLength(1);
    expect(result.notes.join()).toMatch(/key of project retail is not here/);
  });
});

describe("opening", () => {
  it("refuses a folder that holds something else, an empty one, and a newer format", async () => {
    const other = join(place.folder, "other");
    mkdirSync(other);
    await expect(openRepository(withStore(place.run, other))).rejects.toMatchObject({
      code: "repository-not-found",
    });
    writeFileSync(join(other, "my document.txt"), "mine");
    await expect(ensureRepository(withStore(place.run, other))).rejects.toMatchObject({
      code: "repository-occupied",
    });
    await ensureRepository(place.run);
    const description = JSON.parse(
      (await readObject(place.run.store, "lc2-repository.json")).toString(),
    ) as object;
    const newer = Buffer.from(JSON.stringify({ ...description, formatVersion: 99 }));
    await place.run.store.replace("lc2-repository.json", newer);
    await expect(openRepository(place.run)).rejects.toMatchObject({ code: "format-too-new" });
  });
});

describe("sealing", () => {
  it("happens once: a second seal gives the first one's metadata", async () => {
    const first = await backUpFolder(place, source, { number: 1 });
    expect(await sealFiles(place, source, { number: 1 })).toEqual(first);
  });

  it("is refused without evidence, or when the store lost a file meanwhile", async () => {
    await expect(sealFiles(place, source, { number: 1 })).rejects.toBeInstanceOf(Failure);
    await storeFiles(place, source, { number: 1 });
    await place.run.store.delete(`backups/retail/${backupIdOf(1)}/a1/files/manifest`);
    await expect(sealFiles(place, source, { number: 1 })).rejects.toMatchObject({
      code: "backup-incomplete",
    });
    expect(await names("backups/")).not.toContain(`backups/retail/${backupIdOf(1)}/metadata.json`);
  });
});

describe("the clock set back", () => {
  it("neither hides nor spoils a backup", async () => {
    await backUpFolder(place, source, { number: 20 });
    writeFileSync(join(source, "new.txt"), "after the clock went back\n");
    const nowMs = () => Date.now() - 30 * 24 * 3_600_000;
    const later = { ...place.run, clock: { nowMs } };
    const second = await backUpFolder(place, source, { number: 10, run: later });
    expect(second.components.files?.objects).toBe(3);
    expect((await verify(20)).damages).toEqual([]);
    expect((await verify(10)).damages).toEqual([]);
    await remove(20);
    expect((await verify(10)).damages).toEqual([]);
  });
});

describe("browsing", () => {
  it("streams files in order and by pattern", async () => {
    const times = new Date("2026-01-02T03:04:05Z");
    utimesSync(join(source, "old.txt"), times, times);
    await backUpFolder(place, source, { number: 1 });
    const items: unknown[] = [];
    const run: TaskRun = { ...place.run, report: (m) => m.type === "item" && items.push(m.item) };
    const task = { ...frame(run), kind: "browse-backup" as const, backupId: backupIdOf(1), pattern: "*.txt" };
    expect(await browseBackup(task, run)).toEqual({ tables: 0, files: 1, bytes: 2800 });
    expect(items).toEqual([
      expect.objectContaining({
        type: "file",
        path: "old.txt",
        size: 2800,
        modifiedAt: "2026-01-02T03:04:05.000Z",
      }),
    ]);
  });
});

function edit(from: string, to: string): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const text = bytes.toString();
    expect(text).toContain(from);
    return Buffer.from(text.replace(from, to));
  };
}

function flipLastByte(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
  return copy;
}

/** The name of the first stored file that begins as given, whatever its number. */
async function realName(start: string): Promise<string> {
  const prefix = `backups/retail/${backupIdOf(1)}/`;
  const found = (await names(prefix)).find((name) => name.startsWith(prefix + start.replace(/-\d+$/, "")));
  return found?.slice(prefix.length) ?? start;
}
