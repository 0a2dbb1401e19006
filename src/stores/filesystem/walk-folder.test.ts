import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compileFilter, narrowFilter, wholeSource } from "../../core/files/filter.ts";
import type { SourceError, SourceEntry } from "../../core/ports/file-source.ts";
import { assertOrder, encodeKey } from "../../core/repository/manifest.ts";
import { canonicalFolderUrl, openFolderSource } from "./folder-source.ts";
import { FolderWalk } from "./folder-walk.ts";
import { walkFolder, walkInThread } from "./walk-folder.ts";

const everything = compileFilter(wholeSource);

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lc2-walk-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function walk(
  filter = everything,
  onLeftOut: (key: string) => void = () => {},
): Promise<SourceEntry[]> {
  const entries: SourceEntry[] = [];
  for await (const batch of walkFolder(root, { filter, onLeftOut })) entries.push(...batch);
  return entries;
}

const make = (path: string, content = "x") => {
  mkdirSync(join(root, path, ".."), { recursive: true });
  writeFileSync(join(root, path), content);
};
const raw = (name: string) => Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, "latin1")]);

describe("a walk", () => {
  test("goes in byte order of keys, folders at the place of their slash", async () => {
    for (const path of ["a/x", "a-b", "a.txt", "a0", "b/c/d", "\u{10000}", "\ue000", "Z", "z\nnewline"])
      make(path);
    const keys = (await walk()).map((entry) => entry.key);
    const names = [
      "Z",
      "a-b",
      "a.txt",
      "a/",
      "a/x",
      "a0",
      "b/",
      "b/c/",
      "b/c/d",
      "z\nnewline",
      "\ue000",
      "\u{10000}",
    ];
    expect(keys).toEqual(names.map(encodeKey));
    let previous: string | undefined;
    for (const key of keys) {
      assertOrder(previous, key);
      previous = key;
    }
  });

  test("keeps names that are not UTF-8, of 255 bytes, and deep paths", async () => {
    writeFileSync(raw("caf\xe9"), "x");
    mkdirSync(raw("d\xff"));
    writeFileSync(raw("d\xff/\xfe"), "x");
    make("n".repeat(255));
    const deep = Array.from({ length: 40 }, (_, i) => `level-${i}-${"x".repeat(40)}`).join("/");
    make(`${deep}/end`);
    const keys = (await walk()).map((entry) => entry.key);
    expect(keys).toContain("caf\xe9");
    expect(keys).toContain("d\xff/\xfe");
    expect(keys).toContain("n".repeat(255));
    expect(keys).toContain(`${deep}/end`);
  });

  test("says size, times, mode, owner and what changes with the content", async () => {
    make("f", "hello");
    chmodSync(join(root, "f"), 0o4751);
    utimesSync(join(root, "f"), 1, 1_700_000_000);
    const [entry] = await walk();
    expect(entry).toMatchObject({
      key: "f",
      kind: "file",
      sizeBytes: 5,
      mtimeNs: "1700000000000000000",
      mode: 0o4751,
      uid: process.getuid?.(),
      gid: process.getgid?.(),
    });
    expect(entry?.version).toMatch(/^\d+:\d+$/);
  });

  test("does not follow symlinks, loops among them, and keeps what they say", async () => {
    mkdirSync(join(root, "d"));
    symlinkSync("..", join(root, "d", "loop"));
    symlinkSync("/nowhere/\u00e9", join(root, "broken"));
    const entries = await walk();
    expect(entries.map(({ key, kind, target }) => [key, kind, target])).toEqual([
      ["broken", "symlink", encodeKey("/nowhere/\u00e9")],
      ["d/", "directory", undefined],
      ["d/loop", "symlink", ".."],
    ]);
  });

  test("names what has no content", async () => {
    execFileSync("mkfifo", [join(root, "fifo")]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(root, "socket"), resolve));
    const entries = await walk();
    await new Promise((resolve) => server.close(resolve));
    expect(entries.map(({ key, kind, problem }) => [key, kind, problem])).toEqual([
      ["fifo", "special", { reason: "special", message: "FIFO" }],
      ["socket", "special", { reason: "special", message: "socket" }],
    ]);
  });

  test("leaves out what the filter says, and counts it, without looking into it", async () => {
    for (const path of ["a/thumbnails/1", "a/thumbnails/2", "a/b", "cache/x", "c.tmp"]) make(path);
    const leftOut: string[] = [];
    const filter = compileFilter({
      excludePatterns: ["*/thumbnails/*", "cache/", "*.tmp"],
      excludePaths: [],
      includePaths: [],
    });
    const keys = (await walk(filter, (key) => leftOut.push(key))).map((entry) => entry.key);
    expect(keys).toEqual(["a/", "a/b", "a/thumbnails/"]);
    expect(leftOut).toEqual(["a/thumbnails/*", "c.tmp", "cache/"]);
  });

  test("goes on when a folder vanishes under it", async () => {
    for (let i = 0; i < 600; i++) make(`a/${i}`);
    make("b/c");
    make("d");
    const keys: string[] = [];
    for await (const batch of walkFolder(root, { filter: everything })) {
      if (keys.length === 0) rmSync(join(root, "b"), { recursive: true });
      for (const entry of batch) keys.push(entry.key);
    }
    expect(keys).toHaveLength(602);
    expect(keys.at(-1)).toBe("d");
  });

  test("refuses a source that is not there, or is no folder", async () => {
    make("f");
    const list = async (path: string) => {
      for await (const batch of walkFolder(path, { filter: everything })) expect(batch).toEqual([]);
    };
    await expect(list(join(root, "none"))).rejects.toMatchObject({ code: "source-not-found" });
    await expect(list(join(root, "f"))).rejects.toMatchObject({ code: "source-not-found" });
  });

  test("of an empty folder finds nothing", async () => {
    expect(await walk()).toEqual([]);
  });
});

describe("a walk of so much that a thread takes over", () => {
  const objects = 2600;
  beforeEach(() => {
    for (let i = 0; i < objects; i++) make(`${String(i % 9)}/${i}.txt`);
    make("5/caf\u00e9 \u{10000}");
    writeFileSync(raw("6/caf\xe9"), "x");
    symlinkSync("..", join(root, "7", "loop"));
    execFileSync("mkfifo", [join(root, "8", "fifo")]);
    make("8/cache/x");
    make("9/x.tmp");
  });
  const filter = compileFilter({ ...wholeSource, excludePatterns: ["cache/", "*.tmp"] });

  /** The same in one go, here. */
  function walkHere(): { entries: SourceEntry[]; leftOut: string[] } {
    const [entries, leftOut]: [SourceEntry[], string[]] = [[], []];
    const here = FolderWalk.begin(root, { filter, onLeftOut: (key) => leftOut.push(key) });
    while (here.step(entries));
    return { entries, leftOut };
  }

  test("finds the same as one without, and leaves out the same", async () => {
    const leftOut: string[] = [];
    const entries = await walk(filter, (key) => leftOut.push(key));
    expect(entries).toHaveLength(objects + 9 + 4 + 1);
    expect({ entries, leftOut }).toEqual(walkHere());
    expect(leftOut).toEqual(["8/cache/", "9/x.tmp"]);
  });

  test("keeps to the part of a source that is asked for", async () => {
    const narrowed = narrowFilter(filter, "8/");
    const keys: string[] = [];
    const { position } = FolderWalk.begin(root, { filter: narrowed });
    for await (const batch of walkInThread(position, { filter: narrowed }))
      keys.push(...batch.map(({ key }) => key));
    const all = walkHere().entries.map(({ key }) => key);
    expect(keys).toEqual(all.filter((key) => key.startsWith("8/")));
  });

  test("ends its thread when nobody goes on", async () => {
    let seen = 0;
    for await (const batch of walkFolder(root, { filter })) {
      seen += batch.length;
      if (seen > 2100) break;
    }
    expect(seen).toBeLessThan(objects);
    expect(process.getActiveResourcesInfo()).not.toContain("Worker");
  });

  test("rejects when its thread fails", async () => {
    const { position } = FolderWalk.begin(root, { filter });
    // A defect of ours.
    Object.assign(position.stack[0] ?? {}, { names: undefined });
    const all = async () => {
      for await (const batch of walkInThread(position, { filter })) expect(batch).not.toEqual([]);
    };
    await expect(all()).rejects.toThrow(/undefined/);
  });
});

describe("a folder as a source", () => {
  const source = () => openFolderSource(pathToFileURL(root).href);

  test("reads a file and tells when it changed meanwhile", () => {
    make("f", "hello");
    const content = source().open("f");
    if (content instanceof Promise) throw new Error("a folder answers at once");
    const buffer = Buffer.alloc(16);
    expect(content.read(buffer)).toBe(5);
    expect(content.factsNow()).toEqual(content.facts);
    writeFileSync(join(root, "f"), "hello, world");
    expect(content.factsNow()).not.toEqual(content.facts);
    void content.close();
  });

  test.each<[string, () => void, string]>([
    ["a file that is gone", () => {}, "f"],
    ["a symlink in its place", () => symlinkSync("/etc/passwd", join(root, "f")), "f"],
    ["a folder in its place", () => mkdirSync(join(root, "f")), "f"],
    ["a FIFO in its place", () => execFileSync("mkfifo", [join(root, "f")]), "f"],
    ["a file in place of its folder", () => make("d"), "d/f"],
  ])("does not open %s", (_name, prepare, key) => {
    prepare();
    expect(() => source().open(key)).toThrowError(expect.objectContaining({ reason: "gone" }) as SourceError);
  });

  test("knows where there is room for what vanished", () => {
    make("file");
    make("folder/x");
    const room = (key: string) => source().hasRoomFor(key) === true;
    expect(["none", "file", "folder/", "folder/y", "none/x", "none/"].filter((key) => !room(key))).toEqual(
      [],
    );
    expect(["file/", "file/x", "folder"].filter((key) => room(key))).toEqual([]);
  });

  test("has one URL, however it is spelled", () => {
    expect(canonicalFolderUrl("file:///srv/a/")).toBe("file:///srv/a");
    expect(canonicalFolderUrl("file:///srv/x/../a//")).toBe("file:///srv/a");
    expect(canonicalFolderUrl("file:///")).toBe("file:///");
  });
});
