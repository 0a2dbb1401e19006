import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { failureOf } from "../../../test/support/backup-run.ts";
import {
  backUpFolder,
  backupIdOf,
  entriesOf,
  openFilesPlace,
  type FilesPlace,
} from "../../../test/support/files-run.ts";
import { changedStore } from "../../../test/support/changed-store.ts";
import type { WorkerMessage } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import type { EncryptionWish } from "../../core/repository/encryption.ts";
import type { ObjectStore } from "../../core/ports/object-store.ts";
import { KeyfileService } from "../../keys/keyfile/keyfile-service.ts";
import { MemoryStore } from "../../stores/memory/memory-store.ts";
import { readKeyring } from "../keys/backup-keys.ts";
import { verifyStored } from "../read/verify-stored.ts";
import { readMetadata } from "../repository/read-metadata.ts";
import { ensureRepository } from "../repository/repository.ts";
import { readObject } from "../streams/read-object.ts";
import type { TaskRun } from "../task.ts";
import { copyBackup } from "./copy-backup.ts";

let place: FilesPlace;
let source: string;
let there: MemoryStore;

beforeEach(() => {
  place = openFilesPlace();
  there = new MemoryStore();
  source = join(place.folder, "source");
  mkdirSync(source);
  writeFileSync(join(source, "large.bin"), Buffer.alloc(3 << 20, "large "));
  for (let index = 0; index < 20; index += 1) writeFileSync(join(source, `f${index}`), `file ${index}`);
});
afterEach(() => place.close());

const copy = (
  number: number,
  store: ObjectStore = there,
  changes: Partial<TaskRun> = {},
  wish: EncryptionWish = {},
) => {
  const run: TaskRun = { ...place.run, ...changes, openStore: () => Promise.resolve(store) };
  const task = { kind: "copy-backup", backupId: backupIdOf(number), to: "memory:there", ...wish } as const;
  return copyBackup({ ...task, context: run.context, lease: { seconds: 30 } }, run);
};

const at = (store: ObjectStore): TaskRun => ({ ...place.run, store });

const isSealedThere = async (store: ObjectStore, number: number) =>
  (await store.head(`backups/retail/${backupIdOf(number)}/metadata.json`)) !== undefined;

async function namesIn(store: ObjectStore, prefix = "backups/"): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of store.list(prefix)) found.push(name);
  return found;
}

const verify = (store: ObjectStore, number: number) =>
  verifyStored(at(store), backupIdOf(number), { onBytes: () => undefined });

/** A backup of everything, one of a changed file, one of another: the third refers to both. */
async function backUpThree(): Promise<void> {
  await backUpFolder(place, source, { number: 1 });
  writeFileSync(join(source, "f1"), "changed for the second");
  await backUpFolder(place, source, { number: 2 });
  writeFileSync(join(source, "f2"), "changed for the third");
  await backUpFolder(place, source, { number: 3 });
}

async function flip(store: ObjectStore, name: string, at = 100): Promise<void> {
  const bytes = await readObject(store, name);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await store.replace(name, bytes);
}

describe("a copy of a backup", () => {
  it("says that it moves while it only verifies what is there", async () => {
    await backUpFolder(place, source, { number: 1 });
    await copy(1);
    const sealed = `backups/retail/${backupIdOf(1)}/metadata.json`;
    await there.delete(sealed);
    const told: (number | undefined)[] = [];
    const report = (message: WorkerMessage): void => {
      if (message.type === "progress") told.push(message.progress.activity);
    };
    await copy(1, there, { report });
    expect(told.at(-1)).toBeGreaterThan(1_000);
  });

  it("is whole, byte for byte, and says what it did", async () => {
    const metadata = await backUpFolder(place, source, { number: 1 });
    const result = await copy(1);
    expect(result).toMatchObject({
      isThere: true,
      done: { wasThere: false, repositoryCreated: true, found: { files: 0 }, earlierBackups: [] },
    });
    expect(await readMetadata(at(there), backupIdOf(1))).toEqual(metadata);
    const originals = await namesIn(place.run.store);
    expect(await namesIn(there)).toEqual(originals);
    for (const name of originals.filter((each) => !each.endsWith("keyring.json"))) {
      expect(await readObject(there, name)).toEqual(await readObject(place.run.store, name));
    }
    expect(await verify(there, 1)).toMatchObject({ objects: 21, damages: [] });
    expect(await namesIn(there, "leases/")).toEqual([]);
  });

  it("brings along only what it needs of earlier backups, and does not make them visible", async () => {
    await backUpThree();
    const { done } = await copy(3);
    expect(done?.earlierBackups).toEqual([backupIdOf(1), backupIdOf(2)]);
    expect(await verify(there, 3)).toMatchObject({ damages: [] });
    const folders = (await namesIn(there)).map((name) => name.replace("backups/retail/", ""));
    expect(folders.filter((name) => name.startsWith(backupIdOf(2)))).toEqual([
      `${backupIdOf(2)}/a1/files/pack-000001`,
    ]);
    expect(folders.filter((name) => name.endsWith("metadata.json"))).toEqual([
      `${backupIdOf(3)}/metadata.json`,
    ]);
  });

  it("is completed where parts of it came along with a later one, and copies nothing twice", async () => {
    await backUpThree();
    await copy(3);
    const { done } = await copy(1);
    expect(done).toMatchObject({ wasThere: false, repositoryCreated: false });
    const reads = (await namesIn(there)).filter((name) => name.includes(`${backupIdOf(1)}/a1/files/`));
    expect(done?.found.files).toBe(reads.filter((name) => /pack|file-/.test(name)).length);
    expect(await verify(there, 1)).toMatchObject({ damages: [] });
  });

  it("does not read again what came with an earlier backup that is there", async () => {
    await backUpThree();
    await copy(1);
    await copy(2);
    const read: string[] = [];
    const watched = changedStore(there, {
      read: (name, range) => {
        read.push(name);
        return there.read(name, range);
      },
    });
    await copy(3, watched);
    expect(read.filter((name) => name.includes(backupIdOf(1)) || name.includes(backupIdOf(2)))).toEqual([]);
    expect(await verify(there, 3)).toMatchObject({ damages: [] });
  });

  it("has its keys wrapped for the recipients of now", async () => {
    await backUpFolder(place, source, { number: 1 });
    await new KeyfileService(join(place.folder, "keys")).createRecoveryKey("retail");
    await copy(1);
    const kinds = async (store: ObjectStore) =>
      (await readKeyring(store, "retail", backupIdOf(1)))?.keys.data.wrapped.map(({ kind }) => kind);
    expect(await kinds(place.run.store)).toEqual(["project"]);
    expect(await kinds(there)).toEqual(["project", "recovery"]);
  });

  it("a second time is there already, and nothing is written", async () => {
    await backUpFolder(place, source, { number: 1 });
    await copy(1);
    const again = await copy(
      1,
      changedStore(there, { write: () => Promise.reject(new Error("nothing to write")) }),
    );
    expect(again.done).toMatchObject({ wasThere: true, copied: { files: 0 } });
  });

  it("that lost a file is completed", async () => {
    await backUpFolder(place, source, { number: 1 });
    await copy(1);
    const lost = (await namesIn(there)).find((name) => name.includes("pack-")) ?? "";
    await there.delete(lost);
    const { done } = await copy(1);
    expect(done).toMatchObject({ wasThere: false, copied: { files: 1 } });
    expect(await verify(there, 1)).toMatchObject({ damages: [] });
  });

  it("goes on where one stopped: what arrived whole is verified, not copied again", async () => {
    await backUpFolder(place, source, { number: 1 });
    const stop = new Error("the machine dies here");
    const dying = changedStore(there, {
      createIfAbsent: (name, bytes) =>
        name.endsWith("metadata.json") ? Promise.reject(stop) : there.createIfAbsent(name, bytes),
    });
    await expect(copy(1, dying)).rejects.toBe(stop);
    expect((await namesIn(there)).filter((name) => name.endsWith("metadata.json"))).toEqual([]);
    const { done } = await copy(1);
    expect(done?.copied.files).toBe(0);
    expect(done?.found.files).toBeGreaterThan(3);
    expect(await verify(there, 1)).toMatchObject({ damages: [] });
  });

  it("does not believe what a stopped one left: a spoiled file is copied again", async () => {
    await backUpFolder(place, source, { number: 1 });
    await copy(1);
    await there.delete(`backups/retail/${backupIdOf(1)}/metadata.json`);
    await flip(there, (await namesIn(there)).find((name) => name.includes("pack-")) ?? "");
    const { done } = await copy(1);
    expect(done).toMatchObject({ copied: { files: 1 } });
    expect(await verify(there, 1)).toMatchObject({ damages: [] });
  });
});

describe("a sealed backup in the destination", () => {
  const pack = (number: number) => `backups/retail/${backupIdOf(number)}/a1/files/pack-000001`;
  const lose = (number: number) => there.delete(`backups/retail/${backupIdOf(number)}/a1/files/file-000001`);

  it.each(["pack-000001", "manifest", "files.evidence.json"])(
    "keeps its damaged %s where the source's is no better",
    async (file) => {
      await backUpFolder(place, source, { number: 1 });
      await copy(1);
      await lose(1);
      const name = (await namesIn(there)).find((each) => each.endsWith(file)) ?? "";
      await flip(there, name, 60);
      const damaged = await readObject(there, name);
      await flip(place.run.store, name, 50);
      const failure = await failureOf(copy(1));
      expect(failure.kind).toBe("integrity");
      expect(failure.message).toContain(name);
      expect(await readObject(there, name)).toEqual(damaged);
    },
  );

  it("is mended where the source's bytes are good", async () => {
    await backUpFolder(place, source, { number: 1 });
    await copy(1);
    await lose(1);
    await flip(there, pack(1));
    expect(await copy(1)).toMatchObject({ done: { copied: { files: 2 } } });
    expect(await verify(there, 1)).toMatchObject({ damages: [] });
  });

  it("does not lose what it alone needs of a file that a later one lacks a part of", async () => {
    await backUpThree();
    await copy(1);
    const first = await entriesOf(place, await readMetadata(place.run, backupIdOf(1)));
    const whole = await readObject(there, pack(1));
    await there.replace(pack(1), whole.subarray(0, whole.length - 1));
    const kept = await readObject(there, pack(1));
    // A member that the third backup has of the second.
    const { stored } = first.find(({ key }) => key === "f1") ?? {};
    await flip(place.run.store, pack(1), (stored?.offset ?? 0) + 5);
    const damages = (await verify(place.run.store, 3)).damages.length;
    const failure = await failureOf(copy(3));
    expect({ damages, kind: failure.kind }).toEqual({ damages: 0, kind: "integrity" });
    expect(failure.message).toContain(pack(1));
    expect(await readObject(there, pack(1))).toEqual(kept);
  });

  it("is not deleted from when its store spoils what it is sent", async () => {
    await backUpFolder(place, source, { number: 1 });
    await copy(1);
    await lose(1);
    await flip(there, pack(1));
    const spoiling = changedStore(there, {
      write: async (name) => {
        const writer = await there.write(name);
        const write = (bytes: Uint8Array) => writer.write(Uint8Array.from(bytes, (byte) => byte ^ 1));
        return { write, commit: () => writer.commit(), abort: () => writer.abort() };
      },
    });
    expect(await failureOf(copy(1, spoiling))).toMatchObject({ code: "store-failed" });
    expect(await there.head(pack(1))).toBeDefined();
  });
});

describe("a copy out of a source that may only be read", () => {
  const readOnly = (code: "repository-read-only" | "store-access-denied") =>
    changedStore(place.run.store, {
      replace: () => Promise.reject(new Failure(code, "You may read, and that is all.")),
    });

  it.each(["repository-read-only", "store-access-denied"] as const)(
    "is made without a lease there, and says so (%s)",
    async (code) => {
      await backUpFolder(place, source, { number: 1 });
      expect(await copy(1, there, { store: readOnly(code) })).toMatchObject({ isThere: true });
      expect(place.logs.at(-1)).toContain("cannot be written, so nothing says there that it is being read");
      expect(await verify(there, 1)).toMatchObject({ damages: [] });
    },
  );

  it("fails with what it fails with later", async () => {
    await backUpFolder(place, source, { number: 1 });
    await flip(place.run.store, `backups/retail/${backupIdOf(1)}/a1/files/pack-000001`);
    const failure = await failureOf(copy(1, there, { store: readOnly("repository-read-only") }));
    expect(failure.code).toBe("data-damaged");
  });
});

describe("a look whether a copy is there", () => {
  const look = (store: ObjectStore) => {
    const run: TaskRun = { ...place.run, openStore: () => Promise.resolve(store) };
    const task = {
      kind: "copy-backup",
      backupId: backupIdOf(1),
      to: "memory:there",
      lookOnly: true,
    } as const;
    return copyBackup({ ...task, context: run.context, lease: { seconds: 30 } }, run);
  };

  it("says yes when the destination has the same metadata, and changes nothing", async () => {
    await backUpFolder(place, source, { number: 1 });
    expect(await look(there)).toEqual({ isThere: false });
    expect(await namesIn(there, "")).toEqual([]);
    await copy(1);
    expect(await look(there)).toEqual({ isThere: true });
    await there.replace(`backups/retail/${backupIdOf(1)}/metadata.json`, Buffer.from("{}"));
    expect(await look(there)).toEqual({ isThere: false });
  });
});

describe("a copy is refused, and the destination stays without it,", () => {
  it.each(["pack-000001", "file-000001", "manifest"])("when the source's %s is damaged", async (file) => {
    await backUpFolder(place, source, { number: 1 });
    const name = `backups/retail/${backupIdOf(1)}/a1/files/${file}`;
    await flip(place.run.store, name);
    const failure = await failureOf(copy(1));
    expect(failure.kind).toBe("integrity");
    expect(failure.message).toContain(`${name} is damaged in ${place.run.store.url}`);
    expect(await isSealedThere(there, 1)).toBe(false);
    expect(await there.head(name)).toBeUndefined();
  });

  it.each(["pack-000001", "file-000001", "manifest", "files.evidence.json"])(
    "when the destination's store changes a byte of %s",
    async (file) => {
      await backUpFolder(place, source, { number: 1 });
      const spoiling = changedStore(there, {
        write: async (name) => {
          const writer = await there.write(name);
          if (!name.endsWith(file)) return writer;
          const write = async (bytes: Uint8Array): Promise<void> => {
            const other = Uint8Array.from(bytes);
            other[50] = (other[50] ?? 0) ^ 1;
            await writer.write(other);
          };
          return { write, commit: () => writer.commit(), abort: () => writer.abort() };
        },
      });
      const failure = await failureOf(copy(1, spoiling));
      expect(failure).toMatchObject({ code: "store-failed", retry: "backoff" });
      expect(failure.message).toContain("did not keep");
      expect(await isSealedThere(there, 1)).toBe(false);
      expect((await namesIn(there)).filter((name) => name.endsWith(file))).toEqual([]);
    },
  );

  it("when it is the repository it comes from, whatever it is called", async () => {
    await backUpFolder(place, source, { number: 1 });
    const same = place.run.store;
    expect(await failureOf(copy(1, same))).toMatchObject({ code: "copy-to-itself" });
    expect(await isSealedThere(same, 1)).toBe(true);
  });

  it("when there is another backup of this id", async () => {
    await backUpFolder(place, source, { number: 1 });
    await copy(1);
    const name = `backups/retail/${backupIdOf(1)}/metadata.json`;
    const other = JSON.parse((await readObject(there, name)).toString()) as object;
    const text = Buffer.from(JSON.stringify({ ...other, sourceBytes: 1 }));
    await there.replace(name, text);
    expect(await failureOf(copy(1))).toMatchObject({ code: "copy-differs", kind: "refused" });
    expect(await readObject(there, name)).toEqual(text);
  });

  it("when the place holds something else", async () => {
    await backUpFolder(place, source, { number: 1 });
    await there.replace("holiday.jpg", Buffer.from("no repository"));
    expect(await failureOf(copy(1))).toMatchObject({ code: "repository-occupied" });
  });

  it("when the destination is of a newer format", async () => {
    await backUpFolder(place, source, { number: 1 });
    await ensureRepository(at(there));
    const text = (await readObject(there, "lc2-repository.json")).toString();
    await there.replace(
      "lc2-repository.json",
      Buffer.from(text.replace('"formatVersion": 1', '"formatVersion": 9')),
    );
    expect(await failureOf(copy(1))).toMatchObject({ code: "format-too-new" });
  });

  it("when the destination has another mode of encryption than is asked for", async () => {
    await backUpFolder(place, source, { number: 1 });
    await ensureRepository(at(there));
    const asked = copy(1, there, {}, { encryption: "server" });
    expect(await failureOf(asked)).toMatchObject({ code: "encryption-differs", kind: "refused" });
  });

  it("when a file that it needs is no longer in the source", async () => {
    await backUpFolder(place, source, { number: 1 });
    const name = `backups/retail/${backupIdOf(1)}/a1/files/pack-000001`;
    await place.run.store.delete(name);
    const failure = await failureOf(copy(1));
    expect(failure).toMatchObject({ code: "backup-incomplete" });
    expect(failure.message).toContain(name);
    expect(await isSealedThere(there, 1)).toBe(false);
  });

  it("when the destination says that it has fewer bytes than it took", async () => {
    await backUpFolder(place, source, { number: 1 });
    const short = changedStore(there, {
      write: async (name) => {
        const writer = await there.write(name);
        const commit = async () => ({ ...(await writer.commit()), sizeBytes: 1 });
        return { write: (bytes) => writer.write(bytes), commit, abort: () => writer.abort() };
      },
    });
    expect(await failureOf(copy(1, short))).toMatchObject({ code: "store-failed", retry: "backoff" });
    expect(await namesIn(there)).toEqual([]);
  });

  it("when the destination's disk is full", async () => {
    await backUpFolder(place, source, { number: 1 });
    const full = changedStore(there, { write: () => Promise.reject(new Failure("disk-full", "No space.")) });
    expect(await failureOf(copy(1, full))).toMatchObject({ code: "disk-full" });
    expect(await isSealedThere(there, 1)).toBe(false);
  });

  it("when somebody else puts another backup of this id there meanwhile", async () => {
    await backUpFolder(place, source, { number: 1 });
    const raced = changedStore(there, {
      createIfAbsent: async (name, bytes) => {
        if (name.endsWith("metadata.json")) await there.createIfAbsent(name, Buffer.from("{}"));
        return await there.createIfAbsent(name, bytes);
      },
    });
    expect(await failureOf(copy(1, raced))).toMatchObject({ code: "copy-differs" });
  });

  it("when the project's key is not here", async () => {
    await backUpFolder(place, source, { number: 1 });
    rmSync(join(place.folder, "keys"), { recursive: true });
    expect(await failureOf(copy(1))).toMatchObject({ code: "key-missing" });
    expect(await namesIn(there)).toEqual([]);
  });

  it("when there is no such backup", async () => {
    await backUpFolder(place, source, { number: 1 });
    expect(await failureOf(copy(2))).toMatchObject({ code: "backup-not-found" });
  });
});

describe("between modes of encryption", () => {
  const server = { encryption: "server", kmsKey: "retail" } as const;

  it("a backup that lc2 encrypted is copied as it is to where the store encrypts, too", async () => {
    const metadata = await backUpFolder(place, source, { number: 1 });
    const { done } = await copy(1, there, {}, server);
    expect(done).toMatchObject({ repositoryCreated: true, wasThere: false });
    expect(await readMetadata(at(there), backupIdOf(1))).toEqual(metadata);
    expect((await there.head(`backups/retail/${backupIdOf(1)}/metadata.json`))?.encryption).toBeDefined();
    expect(await verify(there, 1)).toMatchObject({ objects: 21, damages: [] });
  });

  it("a backup that the store encrypts is copied as it is to where the store does the same", async () => {
    const metadata = await backUpFolder(place, source, { number: 1, encryption: server });
    await copy(1, there, {}, server);
    expect(await readMetadata(at(there), backupIdOf(1))).toEqual(metadata);
    expect(await verify(there, 1)).toMatchObject({ objects: 21, damages: [] });
  });

  describe("a backup that the store encrypts", () => {
    const content = "a secret of the source, in clear";
    beforeEach(async () => {
      writeFileSync(join(source, "secret"), content);
      await backUpFolder(place, source, { number: 1, encryption: server });
      writeFileSync(join(source, "f1"), "changed for the second");
      await backUpFolder(place, source, { number: 2, encryption: server });
    });

    it("is encrypted on its way to where the store does not, complete in itself, and verified there", async () => {
      const { done } = await copy(2);
      expect(done).toMatchObject({ wasThere: false, earlierBackups: [] });
      const metadata = await readMetadata(at(there), backupIdOf(2));
      expect(metadata).toMatchObject({ encryption: "client", components: { files: { references: [] } } });
      expect(metadata).not.toHaveProperty("serverEncryption");
      expect(await verify(there, 2)).toMatchObject({ objects: 22, damages: [] });
      for (const name of await namesIn(there)) {
        expect((await readObject(there, name)).includes(content), name).toBe(false);
        expect(name).not.toContain(backupIdOf(1));
      }
      const contents = async (store: ObjectStore) => {
        const run = at(store);
        const entries = await entriesOf({ ...place, run }, await readMetadata(run, backupIdOf(2)));
        return entries.map(({ key, sha256, mtimeNs, mode }) => ({ key, sha256, mtimeNs, mode }));
      };
      expect(await contents(there)).toEqual(await contents(place.run.store));
    });

    it("is not copied in clear where only the destination itself says that its store encrypts", async () => {
      await ensureRepository(at(there), server);
      expect(await failureOf(copy(2))).toMatchObject({
        code: "encryption-differs",
        message: expect.stringContaining("--encryption server") as string,
      });
      expect(await namesIn(there)).toEqual([]);
      await copy(1, there, {}, server);
      await copy(2);
      expect(await readMetadata(at(there), backupIdOf(2))).toMatchObject({ encryption: "server" });
    });

    it("is not copied to where another key encrypts than the one that the request's alias stands for", async () => {
      await ensureRepository(at(there), { encryption: "server", kmsKey: "attacker" });
      const store = changedStore(there, {
        encryptBy: () => Promise.resolve({ algorithm: "aws:kms", keyId: "retail" } as const),
      });
      const wish = { encryption: "server", kmsKey: "alias/retail" } as const;
      expect(await failureOf(copy(2, store, {}, wish))).toMatchObject({ code: "encryption-differs" });
      expect(await namesIn(there)).toEqual([]);
    });

    it("leaves nothing in clear where the destination's store does not say that it encrypted", async () => {
      const unsaid = changedStore(there, {
        encryptBy: (wanted) => Promise.resolve(wanted),
        write: async (name) => {
          const writer = await there.write(name);
          return {
            ...writer,
            commit: async () => {
              const { encryption: _encryption, ...facts } = await writer.commit();
              return facts;
            },
          };
        },
      });
      expect(await failureOf(copy(2, unsaid, {}, server))).toMatchObject({ code: "encryption-unproved" });
      expect(await namesIn(there)).toEqual([]);
    });

    it("is there already the second time, also for who only looks", async () => {
      await copy(2);
      expect((await copy(2)).done).toMatchObject({ wasThere: true, copied: { files: 0 } });
      const run: TaskRun = { ...place.run, openStore: () => Promise.resolve(there) };
      const look = {
        kind: "copy-backup",
        backupId: backupIdOf(2),
        to: "memory:there",
        lookOnly: true,
      } as const;
      const task = { ...look, context: run.context, lease: { seconds: 30 } };
      expect(await copyBackup(task, run)).toEqual({ isThere: true });
      expect(await copyBackup({ ...task, backupId: backupIdOf(1) }, run)).toEqual({ isThere: false });
    });

    it("is written over where a run was stopped before", async () => {
      const dying = changedStore(there, {
        createIfAbsent: (name, bytes) =>
          name.endsWith("metadata.json")
            ? Promise.reject(new Failure("interrupted", "killed"))
            : there.createIfAbsent(name, bytes),
      });
      expect(await failureOf(copy(2, dying))).toMatchObject({ code: "interrupted" });
      await copy(2);
      expect(await verify(there, 2)).toMatchObject({ damages: [] });
    });

    it.each(["a1/files/pack-000001", "a1/files/manifest"])(
      "is not copied when %s is damaged",
      async (name) => {
        await flip(place.run.store, `backups/retail/${backupIdOf(2)}/${name}`, 20);
        expect(await failureOf(copy(2))).toMatchObject({ kind: "integrity" });
        expect(await isSealedThere(there, 2)).toBe(false);
      },
    );

    it("is not sealed where the destination changes a byte", async () => {
      const careless = changedStore(there, {
        read: async function* (name, range) {
          for await (const chunk of there.read(name, range)) {
            if (name.includes("pack-")) chunk[50] = (chunk[50] ?? 0) ^ 1;
            yield chunk;
          }
        },
      });
      expect(await failureOf(copy(2, careless))).toMatchObject({ code: "store-failed" });
      expect(await isSealedThere(there, 2)).toBe(false);
    });
  });
});
