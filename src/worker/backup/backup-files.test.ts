import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  backupIdOf,
  backUpFolder,
  entriesOf,
  openFilesPlace,
  sealFiles,
  snapshot,
  restoreTo,
  storeFiles,
  type FilesPlace,
} from "../../../test/support/files-run.ts";
import { SourceError, type FileSource, type SourceContent } from "../../core/ports/file-source.ts";
import type { FileKey } from "../../core/repository/manifest.ts";
import { backupPrefix } from "../../core/repository/layout.ts";
import { openFolderSource } from "../../stores/filesystem/folder-source.ts";

let place: FilesPlace;
let source: string;
beforeEach(() => {
  place = openFilesPlace();
  source = join(place.folder, "source");
  mkdirSync(source);
  for (let i = 0; i < 10; i += 1) make(`folder/${i}.txt`, `content of ${i} `.repeat(100));
});
afterEach(() => place.close());

function make(path: string, content: string | Buffer): void {
  mkdirSync(join(source, path, ".."), { recursive: true });
  writeFileSync(join(source, path), content);
}

/** The folder, with some of its reads done by the test. */
function sourceWith(
  open: (key: FileKey, inner: FileSource) => SourceContent | Promise<SourceContent>,
): FileSource {
  const inner = openFolderSource(pathToFileURL(source).href);
  return {
    url: inner.url,
    list: (options) => inner.list(options),
    hasRoomFor: (key) => inner.hasRoomFor(key),
    open: (key) => open(key, inner),
  };
}

/** Counts what is read. */
function countingSource(): { source: FileSource; read: FileKey[] } {
  const read: FileKey[] = [];
  const counting = sourceWith((key, inner) => {
    // Every source is asked whether it holds the repository.
    if (key !== "lc2-repository.json") read.push(key);
    return inner.open(key);
  });
  return { source: counting, read };
}

const names = async (prefix: string): Promise<string[]> => {
  const found: string[] = [];
  for await (const object of place.run.store.list(prefix)) found.push(object.name);
  return found;
};

describe("a backup of files", () => {
  test("says what it holds", async () => {
    make("large", Buffer.alloc(2_000_000, "large"));
    make("empty", "");
    symlinkSync("large", join(source, "link"));
    const files = await storeFiles(place, source, { number: 1 });
    expect(files).toMatchObject({
      source: pathToFileURL(source).href,
      objects: 12,
      directories: 1,
      symlinks: 1,
      newObjects: 12,
      unchangedObjects: 0,
      vanishedObjects: 0,
      references: [],
      stored: { files: 2 },
    });
    const metadata = await sealFiles(place, source, { number: 1 });
    const entries = await entriesOf(place, metadata);
    expect(entries.map((entry) => entry.key).slice(0, 3)).toEqual(["empty", "folder/", "folder/0.txt"]);
    expect(entries.find((entry) => entry.key === "link")).toMatchObject({ kind: "symlink", target: "large" });
    // The journal has done its work.
    expect((await names("backups/")).filter((name) => name.includes("journal"))).toEqual([]);
  });

  test("reads nothing the second time, and refers to the first one's bytes", async () => {
    await backUpFolder(place, source, { number: 1 });
    make("folder/new.txt", "new");
    const counting = countingSource();
    const files = await storeFiles(place, source, { number: 2, source: counting.source });
    expect(counting.read).toEqual(["folder/new.txt"]);
    expect(files).toMatchObject({ newObjects: 1, unchangedObjects: 10, references: [backupIdOf(1)] });
    const metadata = await sealFiles(place, source, { number: 2 });
    await restoreTo(place, join(place.folder, "target"), metadata.backupId);
    expect(snapshot(join(place.folder, "target")).length).toBe(12);
  });

  test("refers to the backup that stored the bytes, however many lie between", async () => {
    for (const number of [1, 2, 3, 4]) await backUpFolder(place, source, { number });
    const metadata = await backUpFolder(place, source, { number: 5 });
    expect(metadata.components.files?.references).toEqual([backupIdOf(1)]);
    expect(
      (await entriesOf(place, metadata)).every(
        ({ stored }) => (stored?.backup ?? backupIdOf(1)) === backupIdOf(1),
      ),
    ).toBe(true);
  });

  test("reads what was touched, but does not store the same content again", async () => {
    await backUpFolder(place, source, { number: 1 });
    chmodSync(join(source, "folder/3.txt"), 0o600);
    const counting = countingSource();
    const files = await storeFiles(place, source, { number: 2, source: counting.source });
    expect(counting.read).toEqual(["folder/3.txt"]);
    expect(files).toMatchObject({ newObjects: 0, unchangedObjects: 10, stored: { files: 0, sizeBytes: 0 } });
    const entries = await entriesOf(place, await sealFiles(place, source, { number: 2 }));
    expect(entries.find(({ key }) => key === "folder/3.txt")).toMatchObject({ mode: 0o600 });
  });

  test("told to hash again stores everything", async () => {
    await backUpFolder(place, source, { number: 1 });
    const files = await storeFiles(place, source, { number: 2, spec: { rehash: true } });
    expect(files).toMatchObject({ newObjects: 10, unchangedObjects: 0, references: [] });
  });

  test("reads again what changed just before it was read: its clock may not have ticked", async () => {
    make("folder/fresh.txt", "fresh");
    const changedAtMs = lstatSync(join(source, "folder/fresh.txt")).ctimeMs;
    const now = { ...place.run, clock: { nowMs: () => changedAtMs + 1 } };
    await storeFiles(place, source, { number: 1, run: now });
    const entries = await entriesOf(place, await sealFiles(place, source, { number: 1, run: now }));
    expect(entries.find(({ key }) => key === "folder/fresh.txt")?.version).toBeUndefined();
  });

  test("keeps what vanished for one more backup, marked, and then no longer", async () => {
    await backUpFolder(place, source, { number: 1 });
    rmSync(join(source, "folder/5.txt"));
    const second = await backUpFolder(place, source, { number: 2 });
    expect(second.components.files).toMatchObject({ vanishedObjects: 1, objects: 10 });
    const kept = (await entriesOf(place, second)).find(({ key }) => key === "folder/5.txt");
    expect(kept).toMatchObject({ vanished: true, stored: { backup: backupIdOf(1) } });
    const third = await backUpFolder(place, source, { number: 3 });
    expect((await entriesOf(place, third)).some(({ key }) => key === "folder/5.txt")).toBe(false);
  });

  test("does not keep what vanished where something of another kind took its place", async () => {
    await backUpFolder(place, source, { number: 1 });
    rmSync(join(source, "folder/5.txt"));
    make("folder/5.txt/inside", "a folder now");
    const second = await backUpFolder(place, source, { number: 2 });
    const keys = (await entriesOf(place, second)).map(({ key }) => key);
    expect(keys).toContain("folder/5.txt/inside");
    expect(keys).not.toContain("folder/5.txt");
  });

  test("does not take for vanished what a new filter leaves out", async () => {
    await backUpFolder(place, source, { number: 1 });
    const second = await backUpFolder(place, source, {
      number: 2,
      spec: { excludePatterns: ["[0-4].txt", "0.txt", "1.txt"] },
    });
    expect(second.components.files).toMatchObject({ vanishedObjects: 0, objects: 8, excludedObjects: 2 });
  });

  test("leaves out the application's generated files only when asked to", async () => {
    make("thumbnails/x.jpg", "x");
    const all = await storeFiles(place, source, { number: 1, application: "liferay" });
    expect(all.objects).toBe(11);
    const spec = { excludeGeneratedFiles: true };
    const without = await storeFiles(place, source, { number: 2, application: "liferay", spec });
    expect(without).toMatchObject({ objects: 10, excludedObjects: 1 });
    await expect(storeFiles(place, source, { number: 3, spec })).rejects.toMatchObject({
      code: "request-invalid",
    });
  });
});

describe("a source that is not as it should be", () => {
  test("is refused when it is empty, unless that is allowed", async () => {
    rmSync(join(source, "folder"), { recursive: true });
    await expect(storeFiles(place, source, { number: 1 })).rejects.toMatchObject({ code: "source-empty" });
    const files = await storeFiles(place, source, { number: 2, spec: { maxShrink: 1 } });
    expect(files.objects).toBe(0);
  });

  test("is refused when it shrank more than allowed, and nothing is sealed", async () => {
    await backUpFolder(place, source, { number: 1 });
    for (let i = 0; i < 6; i += 1) rmSync(join(source, `folder/${i}.txt`));
    await expect(storeFiles(place, source, { number: 2 })).rejects.toMatchObject({ code: "source-shrank" });
    await expect(sealFiles(place, source, { number: 2 })).rejects.toMatchObject({ code: "evidence-missing" });
    const files = await storeFiles(place, source, { number: 3, spec: { maxShrink: 0.7 } });
    expect(files.vanishedObjects).toBe(6);
  });

  test("is not there", async () => {
    rmSync(source, { recursive: true });
    await expect(storeFiles(place, source, { number: 1 })).rejects.toMatchObject({
      code: "source-not-found",
    });
  });

  test("with files that cannot be read fails, naming them, unless that is allowed", async () => {
    await backUpFolder(place, source, { number: 1 });
    make("folder/3.txt", "changed since");
    make("folder/secret.txt", "new");
    const unreadable = sourceWith((key, inner) => {
      if (key === "folder/3.txt" || key === "folder/secret.txt")
        throw new SourceError("unreadable", "EACCES: permission denied");
      return inner.open(key);
    });
    await expect(storeFiles(place, source, { number: 2, source: unreadable })).rejects.toMatchObject({
      code: "files-unreadable",
      message: expect.stringContaining("folder/secret.txt (EACCES: permission denied)") as string,
    });
    const spec = { allowUnreadable: true };
    const files = await storeFiles(place, source, { number: 3, source: unreadable, spec });
    expect(files.skipped).toMatchObject({ objects: 2 });
    const entries = await entriesOf(place, await sealFiles(place, source, { number: 3 }));
    expect(entries.find(({ key }) => key === "folder/3.txt")).toMatchObject({ stale: true });
    expect(entries.some(({ key }) => key === "folder/secret.txt")).toBe(false);
  });

  test("with a file that changes at every attempt names it and keeps the earlier version", async () => {
    await backUpFolder(place, source, { number: 1 });
    appendFileSync(join(source, "folder/3.txt"), "more");
    const changing = sourceWith((key, inner) => {
      const content = inner.open(key);
      if (key === "folder/3.txt") appendFileSync(join(source, key), "and more");
      return content;
    });
    const metadata = await backUpFolder(place, source, { number: 2, source: changing });
    expect(metadata.components.files?.skipped).toMatchObject({ objects: 1 });
    expect(place.logs.join()).toContain("folder/3.txt");
    const entry = (await entriesOf(place, metadata)).find(({ key }) => key === "folder/3.txt");
    expect(entry).toMatchObject({ stale: true, stored: { backup: backupIdOf(1) } });
    // Once it is quiet it is read again.
    const third = await backUpFolder(place, source, { number: 3 });
    const now = (await entriesOf(place, third)).find(({ key }) => key === "folder/3.txt");
    expect(now?.stale).toBeUndefined();
    expect(now?.stored?.backup).toBeUndefined();
  });

  test("of which most files change at every attempt is refused, unless that is allowed", async () => {
    // Each changing file is read four times, with pauses between: two of them show it as well as nine.
    for (let i = 3; i < 10; i += 1) rmSync(join(source, `folder/${i}.txt`));
    const changing = sourceWith((key, inner) => {
      const content = inner.open(key);
      if (key !== "folder/0.txt") appendFileSync(join(source, key), "and more");
      return content;
    });
    await expect(storeFiles(place, source, { number: 1, source: changing })).rejects.toMatchObject({
      code: "files-unreadable",
      message: expect.stringMatching(
        /2 files of .* changed at every attempt to read them, and only 1 could be read/,
      ) as string,
    });
    const spec = { allowUnreadable: true };
    const allowed = await storeFiles(place, source, { number: 2, source: changing, spec });
    expect(allowed).toMatchObject({ objects: 1, skipped: { objects: 2 } });
  });

  test("with a file that changed once while it was read stores the version after", async () => {
    let changes = 0;
    const changing = sourceWith((key, inner) => {
      const content = inner.open(key);
      if (key === "folder/3.txt" && changes++ === 0) writeFileSync(join(source, key), "version 2");
      return content;
    });
    const metadata = await backUpFolder(place, source, { number: 1, source: changing });
    expect((await entriesOf(place, metadata)).find(({ key }) => key === "folder/3.txt")).toMatchObject({
      sizeBytes: 9,
    });
  });

  test("with a file that vanishes while it is read goes on without it", async () => {
    const vanishing = sourceWith((key, inner) => {
      if (key === "folder/3.txt") renameSync(join(source, key), join(place.folder, "away"));
      return inner.open(key);
    });
    const metadata = await backUpFolder(place, source, { number: 1, source: vanishing });
    expect(metadata.components.files).toMatchObject({ objects: 9 });
  });

  test("with sockets and FIFOs names them", async () => {
    execFileSync("mkfifo", [join(source, "pipe")]);
    const metadata = await backUpFolder(place, source, { number: 1 });
    expect(metadata.components.files?.skipped).toMatchObject({ objects: 1 });
    expect(place.logs.join()).toContain("pipe is not in this backup as it is now: FIFO");
  });
});

describe("an attempt that died", () => {
  test("leaves what it stored to the next one, of the same backup or another", async () => {
    const spec = { maxShrink: 1 };
    const dying = sourceWith((key, inner) => {
      if (key === "folder/7.txt") throw new Error("killed");
      return inner.open(key);
    });
    make("folder/4.bin", Buffer.alloc(70_000_000, "x"));
    await expect(storeFiles(place, source, { number: 1, source: dying, spec })).rejects.toThrow("killed");
    const again = countingSource();
    await storeFiles(place, source, { number: 1, attempt: 2, source: again.source });
    expect(again.read).toEqual([4, 5, 6, 7, 8, 9].map((i) => `folder/${i}.txt`));
    await sealFiles(place, source, { number: 1, attempt: 2 });

    await expect(
      storeFiles(place, source, { number: 2, source: dying, spec: { ...spec, rehash: true } }),
    ).rejects.toThrow("killed");
    const other = countingSource();
    make("folder/1.txt", "changed");
    await storeFiles(place, source, { number: 3, source: other.source });
    expect(other.read).toEqual(["folder/1.txt"]);
    const metadata = await sealFiles(place, source, { number: 3 });
    await restoreTo(place, join(place.folder, "target"), metadata.backupId);
    const contents = (path: string) =>
      snapshot(path)
        .map((line) => line.split(" "))
        .map(([key, _mode, _time, sha256]) => [key, sha256]);
    expect(contents(join(place.folder, "target"))).toEqual(contents(source));
  });

  test("after its manifest leaves everything to the next one", async () => {
    await storeFiles(place, source, { number: 1 });
    const again = countingSource();
    const files = await storeFiles(place, source, { number: 1, attempt: 2, source: again.source });
    expect(again.read).toEqual([]);
    expect(files.references).toEqual([]);
    const other = countingSource();
    const second = await storeFiles(place, source, { number: 2, source: other.source });
    expect(other.read).toEqual([]);
    expect(second.references).toEqual([backupIdOf(1)]);
    await sealFiles(place, source, { number: 2 });
  });
});

describe("what is wrong with earlier backups", () => {
  test("a damaged manifest costs reading again, and is said", async () => {
    const first = await backUpFolder(place, source, { number: 1 });
    const name = backupPrefix("retail", first.backupId) + (first.components.files?.manifest.name ?? "");
    const size = (await place.run.store.head(name))?.sizeBytes ?? 0;
    await place.run.store.replace(name, Buffer.alloc(size, 1));
    const files = await storeFiles(place, source, { number: 2 });
    expect(files).toMatchObject({ newObjects: 10, references: [] });
    expect(place.logs.join()).toContain(`${first.backupId} is not used to save reading`);
  });

  test("a missing pack costs reading again, and is said", async () => {
    await backUpFolder(place, source, { number: 1 });
    await place.run.store.delete(`${backupPrefix("retail", backupIdOf(1))}a1/files/pack-000001`);
    const metadata = await backUpFolder(place, source, { number: 2 });
    expect(metadata.components.files).toMatchObject({ newObjects: 10, references: [] });
    expect(place.logs.join()).toContain("missing in the repository");
  });

  test("bytes that went away before the seal keep it from sealing", async () => {
    await backUpFolder(place, source, { number: 1 });
    await storeFiles(place, source, { number: 2 });
    await place.run.store.delete(`${backupPrefix("retail", backupIdOf(1))}a1/files/pack-000001`);
    await expect(sealFiles(place, source, { number: 2 })).rejects.toMatchObject({
      code: "backup-incomplete",
    });
  });

  test("a backup of another folder is no predecessor", async () => {
    await backUpFolder(place, source, { number: 1 });
    const other = join(place.folder, "other");
    mkdirSync(other);
    writeFileSync(join(other, "x"), "x");
    const files = await storeFiles(place, other, { number: 2 });
    expect(files).toMatchObject({ objects: 1, vanishedObjects: 0, references: [] });
  });
});
