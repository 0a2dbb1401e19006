import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { failureOf } from "../../../test/support/backup-run.ts";
import {
  backUpFolder,
  backupIdOf,
  entriesOf,
  openFilesPlace,
  restoreTo,
  sealFiles,
  settleTimes,
  snapshot,
  storeFiles,
  undoTo,
  type FilesPlace,
} from "../../../test/support/files-run.ts";
import { changedStore } from "../../../test/support/changed-store.ts";
import type { ObjectStore, StoredObject } from "../../core/ports/object-store.ts";
import { keyringName, repositoryFile } from "../../core/repository/layout.ts";
import { MemoryStore } from "../../stores/memory/memory-store.ts";
import { openBackupKeys, readKeyring } from "../keys/backup-keys.ts";
import { verifyStored } from "../read/verify-stored.ts";
import { ensureRepository } from "../repository/repository.ts";
import { readObject } from "../streams/read-object.ts";

const encryption = { encryption: "server", kmsKey: "retail" } as const;

let place: FilesPlace;
let source: string;

beforeEach(() => {
  place = openFilesPlace();
  source = join(place.folder, "source");
  mkdirSync(source);
  writeFileSync(join(source, "large.bin"), Buffer.alloc(3 << 20, "large "));
  for (let index = 0; index < 20; index += 1) writeFileSync(join(source, `f${index}`), `file ${index}`);
  settleTimes(source);
});
afterEach(() => place.close());

const backUp = (number: number) => backUpFolder(place, source, { number, encryption });
const nameIn = (number: number, name: string) => `backups/retail/${backupIdOf(number)}/${name}`;
const verify = (number: number) => verifyStored(place.run, backupIdOf(number), { onBytes: () => undefined });

async function flip(name: string, at: number): Promise<void> {
  const bytes = await readObject(place.run.store, name);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await place.run.store.replace(name, bytes);
}

describe("a backup whose store encrypts", () => {
  it("stores contents as they are, says so in its signed metadata, and is restored and undone", async () => {
    const metadata = await backUp(1);
    expect(metadata).toMatchObject({
      encryption: "server",
      serverEncryption: { algorithm: "aws:kms", keyId: "retail" },
    });
    const pack = await readObject(place.run.store, nameIn(1, "a1/files/pack-000001"));
    expect(pack.toString()).toContain("file 13");
    expect(await verify(1)).toMatchObject({ damages: [], objects: 21 });
    const target = join(place.folder, "target");
    mkdirSync(target);
    writeFileSync(join(target, "f1"), "somebody else's");
    const before = snapshot(target);
    await restoreTo(place, target, backupIdOf(1));
    expect(snapshot(target)).toEqual(snapshot(source));
    await undoTo(place, target);
    expect(snapshot(target).map((line) => line.split(" ").at(-1))).toEqual(
      before.map((line) => line.split(" ").at(-1)),
    );
  });

  it("refers to what earlier backups stored, whoever encrypted it", async () => {
    await backUpFolder(place, source, { number: 1 });
    const changed = new TextEncoder().encode(
      JSON.stringify({
        ...(JSON.parse((await readObject(place.run.store, repositoryFile)).toString()) as object),
        encryption: "server",
      }),
    );
    await place.run.store.replace(repositoryFile, changed);
    await (place.run.store as MemoryStore).encryptBy({ algorithm: "AES256" });
    writeFileSync(join(source, "f3"), "changed");
    utimesSync(join(source, "f3"), 1_700_000_100, 1_700_000_100);
    const second = await backUp(2);
    expect(second.components.files).toMatchObject({ newObjects: 1, references: [backupIdOf(1)] });
    const keys = await openBackupKeys(place.run, backupIdOf(2));
    expect(keys.filesOf(backupIdOf(2))).toBe("by-store");
    expect(keys.filesOf(backupIdOf(1))).toBeInstanceOf(Buffer);
    expect(await verify(2)).toMatchObject({ damages: [], objects: 21 });
    const target = join(place.folder, "target");
    await restoreTo(place, target, backupIdOf(2));
    expect(snapshot(target)).toEqual(snapshot(source));
  });

  it.each([
    ["a pack", "a1/files/pack-000001", 3],
    ["a large file", "a1/files/file-000001", 30],
    ["the manifest", "a1/files/manifest", 40],
  ])("is found damaged where one byte of %s is", async (_what, name, at) => {
    await backUp(1);
    await flip(nameIn(1, name), at);
    const { damages } = await verify(1);
    expect(damages.length).toBeGreaterThan(0);
    expect(await failureOf(restoreTo(place, join(place.folder, "target"), backupIdOf(1)))).toMatchObject({
      kind: "integrity",
    });
  });

  it("is sealed with the key that was accepted, whatever the repository says by then", async () => {
    await storeFiles(place, source, { number: 1, encryption });
    const serverEncryption = { algorithm: "aws:kms", keyId: "retail" } as const;
    const description = JSON.parse((await readObject(place.run.store, repositoryFile)).toString()) as object;
    const changed = { ...description, serverEncryption: { ...serverEncryption, keyId: "another" } };
    await place.run.store.replace(repositoryFile, Buffer.from(JSON.stringify(changed)));
    const run = { ...place.run, context: { ...place.run.context, serverEncryption } };
    expect(await sealFiles(place, source, { number: 1, run })).toMatchObject({ serverEncryption });
  });

  it("is not written to a store that does not say of an object that it is encrypted", async () => {
    const inner = new MemoryStore();
    const unsaid = <T extends StoredObject | undefined>(object: T): T => {
      if (object === undefined) return object;
      const { encryption: _encryption, ...facts } = object;
      return facts as T;
    };
    const store = changedStore(inner, {
      encryptBy: (wanted) => inner.encryptBy(wanted),
      head: async (name) => unsaid(await inner.head(name)),
      write: async (name) => {
        const writer = await inner.write(name);
        return { ...writer, commit: async () => unsaid(await writer.commit()) };
      },
    });
    const run = { ...place.run, store };
    expect(await failureOf(storeFiles(place, source, { number: 1, encryption, run }))).toMatchObject({
      code: "encryption-unproved",
    });
    for await (const { name } of inner.list("")) expect(name).not.toMatch(/pack-|file-|manifest/);
  });
});

describe("what earlier backups say, where their store was to encrypt", () => {
  const editManifest = (bytes: Buffer): Buffer =>
    zstdCompressSync(
      Buffer.from(
        zstdDecompressSync(bytes)
          .toString()
          .replace(/"sha256":"./, '"sha256":"0'),
      ),
    );
  const manifest = nameIn(1, "a1/files/manifest");

  /** The store, with a line of the manifest changed from this reading of it on. */
  const changing = (from: number): ObjectStore => {
    const { store } = place.run;
    let reads = 0;
    return changedStore(store, {
      read: async function* (name, range) {
        const isChanged = name === manifest && (reads += 1) >= from;
        for await (const chunk of store.read(name, range))
          yield isChanged ? editManifest(Buffer.from(chunk)) : chunk;
      },
    });
  };

  it("is not used where one line of the manifest was changed", async () => {
    await backUp(1);
    const run = { ...place.run, store: changing(1) };
    const stored = await storeFiles(place, source, { number: 2, run });
    expect(stored).toMatchObject({ newObjects: 21, references: [] });
  });

  it("fails the backup where the manifest is changed while it is used", async () => {
    await backUp(1);
    const run = { ...place.run, store: changing(2) };
    expect(await failureOf(storeFiles(place, source, { number: 2, run }))).toMatchObject({
      code: "data-damaged",
    });
  });

  it("is not used by a backup that lc2 encrypts", async () => {
    const description = await readDescription();
    await backUp(1);
    await storeFiles(place, source, { number: 2, encryption });
    await place.run.store.replace(repositoryFile, description);
    const third = await backUpFolder(place, source, { number: 3 });
    expect(third.components.files).toMatchObject({ newObjects: 21, references: [] });
    expect(place.logs.join("\n")).toContain("is not used to save reading: Its store was to encrypt");
  });

  /** Of a repository in client mode. */
  async function readDescription(): Promise<Buffer> {
    const other = new MemoryStore();
    await ensureRepository({ ...place.run, store: other });
    return readObject(other, repositoryFile);
  }
});

describe("what an attempt left that is not sealed, where the store encrypts", () => {
  const evidence = (number: number) => nameIn(number, "a1/files.evidence.json");
  const read = async (name: string) =>
    JSON.parse((await readObject(place.run.store, name)).toString()) as Record<string, unknown>;
  const plant = (name: string, value: unknown) =>
    place.run.store.replace(name, Buffer.from(JSON.stringify(value)));

  it.each([
    ["changed", (own: object) => ({ ...own, objects: 20 })],
    ["put there without a signature", ({ signature: _signature, ...own }: { signature?: unknown }) => own],
    ["no evidence", () => "nothing"],
  ])("is not sealed where its evidence was %s", async (_what, change) => {
    await storeFiles(place, source, { number: 1, encryption });
    await plant(evidence(1), change(await read(evidence(1))));
    expect(await failureOf(sealFiles(place, source, { number: 1 }))).toMatchObject({
      code: "evidence-damaged",
      message: expect.stringContaining("run the backup again") as string,
    });
  });

  it("is not sealed with the evidence of another attempt", async () => {
    await storeFiles(place, source, { number: 1, encryption });
    await storeFiles(place, source, { number: 1, attempt: 2, encryption });
    await plant(evidence(1).replace("/a1/", "/a2/"), await read(evidence(1)));
    expect(await failureOf(sealFiles(place, source, { number: 1, attempt: 2 }))).toMatchObject({
      code: "evidence-damaged",
    });
  });

  it("saves no reading where its evidence or its manifest was changed", async () => {
    await storeFiles(place, source, { number: 1, encryption });
    const own = await read(evidence(1));
    await plant(evidence(1), { ...own, objects: 20 });
    expect(await storeFiles(place, source, { number: 2 })).toMatchObject({ newObjects: 21 });
    expect(place.logs.join("\n")).toContain("run the backup again");
    await plant(evidence(1), own);
    await flip(nameIn(1, "a1/files/manifest"), 40);
    await place.run.store.delete(evidence(2));
    expect(await storeFiles(place, source, { number: 3 })).toMatchObject({ newObjects: 21 });
    await flip(nameIn(1, "a1/files/manifest"), 40);
    await place.run.store.delete(evidence(3));
    expect(await storeFiles(place, source, { number: 4 })).toMatchObject({ newObjects: 0 });
  });

  it("saves no reading where its journal is not under the backup's own key", async () => {
    await storeFiles(place, source, { number: 1, encryption });
    const { manifest } = (await storeFiles(place, source, { number: 2 })) as { manifest: { name: string } };
    const lines = zstdDecompressSync(await readObject(place.run.store, nameIn(2, manifest.name)));
    const header = JSON.stringify({ format: "lc2-files-journal", source: pathToFileURL(source).href });
    const journal = zstdCompressSync(Buffer.from(`${header}\n${lines.toString()}`));
    for (const number of [1, 2]) await place.run.store.delete(evidence(number));
    await place.run.store.replace(nameIn(2, "a1/files/journal-000001"), journal);
    expect(await storeFiles(place, source, { number: 3 })).toMatchObject({ newObjects: 21 });
    expect(place.logs.join("\n")).toContain(`${backupIdOf(2)} is not used to save reading`);
  });

  it("has a journal that nobody reads without the backup's key, and that the next attempt uses", async () => {
    const { store } = place.run;
    const kept: string[] = [];
    const dying = changedStore(store, {
      encryptBy: (wanted) => (store as MemoryStore).encryptBy(wanted),
      replace: async (name, bytes) => {
        if (name.endsWith(".evidence.json")) throw new Error("killed");
        await store.replace(name, bytes);
      },
    });
    writeFileSync(join(source, "aaa.bin"), Buffer.alloc(65 << 20, "another "));
    settleTimes(source);
    const run = { ...place.run, store: dying };
    await expect(storeFiles(place, source, { number: 1, encryption, run })).rejects.toThrow("killed");
    for await (const { name } of store.list(nameIn(1, "a1/files/journal-"))) kept.push(name);
    const [journal = ""] = kept;
    expect((await readObject(store, journal)).subarray(0, 4)).not.toEqual(Buffer.from("28b52ffd", "hex"));
    const second = await storeFiles(place, source, { number: 1, attempt: 2 });
    expect(second.newObjects).toBeLessThan(22);
  });
});

it("seals evidence that an earlier version left unsigned, where lc2 encrypts", async () => {
  await storeFiles(place, source, { number: 1 });
  const name = nameIn(1, "a1/files.evidence.json");
  const { signature: _signature, ...unsigned } = JSON.parse(
    (await readObject(place.run.store, name)).toString(),
  ) as { signature: unknown };
  await place.run.store.replace(name, Buffer.from(JSON.stringify(unsigned)));
  expect(await sealFiles(place, source, { number: 1 })).toMatchObject({ encryption: "client" });
});

describe("the keyring of a backup whose store encrypts", () => {
  it.each([
    ["makes a reader decrypt what is not encrypted", undefined],
    ["makes a reader believe unencrypted bytes", "server"],
  ])("is damaged where a change %s", async (_what, mode) => {
    await backUpFolder(place, source, { number: 1, ...(mode === undefined ? { encryption } : {}) });
    const keyring = await readKeyring(place.run.store, "retail", backupIdOf(1));
    const { encryption: _mode, ...data } = keyring?.keys.data ?? { check: "", wrapped: [] };
    const changed = {
      ...keyring,
      keys: { ...keyring?.keys, data: mode === undefined ? data : { ...data, encryption: mode } },
    };
    await place.run.store.replace(keyringName("retail", backupIdOf(1)), Buffer.from(JSON.stringify(changed)));
    expect(await failureOf(openBackupKeys(place.run, backupIdOf(1)))).toMatchObject({ kind: "integrity" });
  });

  it("opens for what was made before: the mode is the backup's, not the repository's", async () => {
    const metadata = await backUpFolder(place, source, { number: 1 });
    expect(metadata).not.toHaveProperty("serverEncryption");
    expect((await entriesOf(place, metadata)).length).toBe(21);
  });
});
