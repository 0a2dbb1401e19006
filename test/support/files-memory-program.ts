/**
 * Backs up a made-up source of many files twice, through the real code into a folder, and prints its peak
 * memory. Arguments: folder of the repository, number of files, bytes of one large file.
 */
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import type { FileSource, SourceContent, SourceEntry } from "../../src/core/ports/file-source.ts";
import { openFilesystemStore } from "../../src/stores/filesystem/filesystem-store.ts";
import { backUpFolder, openFilesPlace } from "./files-run.ts";

const [folder = "", files = "1000", largeBytes = "0"] = process.argv.slice(2);
const count = Number(files);

const entryOf = (key: string, sizeBytes: number): SourceEntry => ({
  key,
  kind: "file",
  sizeBytes,
  mtimeNs: "1700000000000000001",
  mode: 0o644,
  uid: 1000,
  gid: 1000,
  version: `1700000000000000001:${key.length}`,
});

const keyOf = (index: number): string =>
  `folder-${String(Math.floor(index / 500)).padStart(6, "0")}/file-${String(index).padStart(8, "0")}.html`;

class MadeUpContent implements SourceContent {
  readonly facts: SourceEntry;
  #left: number;
  constructor(facts: SourceEntry) {
    this.facts = facts;
    this.#left = facts.sizeBytes;
  }
  read(into: Uint8Array): number {
    const length = Math.min(this.#left, into.length);
    const piece = createHash("sha512").update(`${this.facts.key}${this.#left}`).digest();
    for (let at = 0; at < length; at += 4096) into.set(piece.subarray(0, Math.min(64, length - at)), at);
    this.#left -= length;
    return length;
  }
  factsNow(): SourceEntry {
    return this.facts;
  }
  close(): void {}
}

const source: FileSource = {
  url: "file:///made/up",
  async *list() {
    for (let index = 0; index < count; index += 500) {
      const batch = Array.from({ length: Math.min(500, count - index) }, (_, i) =>
        entryOf(keyOf(index + i), 200),
      );
      yield await Promise.resolve(batch);
    }
    yield [entryOf("large", Number(largeBytes))];
  },
  open: (key) => new MadeUpContent(entryOf(key, key === "large" ? Number(largeBytes) : 200)),
  hasRoomFor: () => true,
};

const place = openFilesPlace(openFilesystemStore(folder));
const first = await backUpFolder(place, "/made/up", { number: 1, source });
const second = await backUpFolder(place, "/made/up", { number: 2, source });
const facts = {
  objects: second.components.files?.objects,
  newObjects: [first.components.files?.newObjects, second.components.files?.newObjects],
  peakMiB: Math.round(process.resourceUsage().maxRSS / 1024),
};
place.close();
rmSync(folder, { recursive: true });
console.log(JSON.stringify(facts));
