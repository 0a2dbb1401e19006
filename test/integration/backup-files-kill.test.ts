import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import type { FileSource } from "../../src/core/ports/file-source.ts";
import { metadataName } from "../../src/core/repository/layout.ts";
import { openFolderSource } from "../../src/stores/filesystem/folder-source.ts";
import { MemoryStore } from "../../src/stores/memory/memory-store.ts";
import { dyingStore, Life } from "../support/dying.ts";
import {
  backupIdOf,
  backUpFolder,
  openFilesPlace,
  restoreTo,
  settleTimes,
  snapshot,
  storeFiles,
} from "../support/files-run.ts";

/** Four packs' worth of files that do not compress, and two large ones between them. */
function fill(source: string): void {
  let seed = 1;
  const noise = (length: number): Buffer => {
    const words = new Uint32Array(length >> 2);
    for (let i = 0; i < words.length; i += 1) words[i] = seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Buffer.from(words.buffer);
  };
  mkdirSync(join(source, "d"), { recursive: true });
  for (let i = 0; i < 130; i += 1)
    writeFileSync(join(source, `d/${String(i).padStart(3, "0")}`), noise(1_000_000));
  writeFileSync(join(source, "d/050-large"), noise(3_000_000));
  writeFileSync(join(source, "large"), noise(6_000_000));
  settleTimes(source);
}

test("a backup killed between any two calls of the store is not visible, and the next one reads little again", async () => {
  const place = openFilesPlace(new MemoryStore());
  const source = join(place.folder, "source");
  fill(source);
  const wanted = snapshot(source);
  const inner = openFolderSource(pathToFileURL(source).href);
  let bytesRead = 0;
  const counting: FileSource = {
    url: inner.url,
    list: (options) => inner.list(options),
    hasRoomFor: (key) => inner.hasRoomFor(key),
    open: async (key) => {
      const content = await inner.open(key);
      bytesRead += content.facts.sizeBytes;
      return content;
    },
  };

  let number = 0;
  let readInAll = 0;
  let visible = 0;
  let isDone = false;
  let calls = 0;
  // Each life is longer than the one before; every process finds what all before it have stored.
  while (!isDone) {
    number += 1;
    calls += 9;
    const life = new Life(calls);
    bytesRead = 0;
    try {
      await storeFiles(place, source, {
        number,
        source: counting,
        run: { ...place.run, store: dyingStore(place.run.store, life) },
      });
      isDone = true;
    } catch (error) {
      if (!life.isOver) throw error;
      if ((await place.run.store.head(metadataName("retail", backupIdOf(number)))) !== undefined)
        visible += 1;
    }
    readInAll += bytesRead;
  }
  expect(number).toBeGreaterThan(5);
  expect(visible).toBe(0);

  const metadata = await backUpFolder(place, source, { number: number + 1, source: counting });
  await restoreTo(place, join(place.folder, "target"), metadata.backupId);
  expect(snapshot(join(place.folder, "target"))).toEqual(wanted);
  // Lost each time: at most the pack in flight, and what was read ahead of it.
  expect(readInAll).toBeLessThan(139_000_000 + number * (44 << 20));
  place.close();
});
