import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, expect, test } from "vitest";

import { keyringName } from "../../core/repository/layout.ts";
import { KeyfileService } from "../../keys/keyfile/keyfile-service.ts";
import { MemoryStore } from "../../stores/memory/memory-store.ts";
import {
  addKeyReferences,
  createBackupKeys,
  openBackupKeys,
  readKeyring,
  type BackupKeys,
} from "./backup-keys.ts";
import type { OpenedKey } from "./keyring-entries.ts";
import { ensureRepository } from "../repository/repository.ts";
import { rotateKeys } from "./rotate-keys.ts";
import type { TaskRun } from "../task.ts";

const first = "backup-20261123-020000-abc123";
const second = "backup-20261124-020000-abc123";
const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

function makeKeys(): KeyfileService {
  const folder = mkdtempSync(join(tmpdir(), "lc2-keys-"));
  folders.push(folder);
  return new KeyfileService(folder);
}

const filesKeyOf = (id: string, keys: BackupKeys): Map<string, OpenedKey> =>
  new Map([[id, keys.filesKeyOf(id) as OpenedKey]]);

let counter = 0;
function makeRun(store: TaskRun["store"], keys: TaskRun["keys"]): TaskRun {
  return {
    context: {
      repository: store.url,
      keys: { kind: "keyfile", directory: "unused" },
      projectId: "retail",
    },
    store,
    openStore: () => Promise.resolve(store),
    keys,
    signal: new AbortController().signal,
    report: () => undefined,
    drained: () => Promise.resolve(),
    clock: { nowMs: () => Date.now() },
    ids: { hex: (length) => (counter += 1).toString(16).padStart(length, "0") },
    env: {},
    scratchDirectory: "unused",
  };
}

const task = (run: TaskRun, dryRun = false): Parameters<typeof rotateKeys>[0] => ({
  context: run.context,
  lease: { seconds: 30 },
  kind: "rotate-keys",
  dryRun,
});

async function makeProject(): Promise<{ run: TaskRun; keys: KeyfileService }> {
  const keys = makeKeys();
  const run = makeRun(new MemoryStore(), keys);
  await ensureRepository(run);
  const earlier = await createBackupKeys(run, first);
  await createBackupKeys(run, second);
  await addKeyReferences(run, second, filesKeyOf(first, earlier.keys));
  return { run, keys };
}

async function recipientsOf(run: TaskRun, backupId: string): Promise<Set<string>> {
  const keyring = await readKeyring(run.store, "retail", backupId);
  const entries = [...Object.values(keyring?.keys ?? {}), ...Object.values(keyring?.references ?? {})];
  return new Set(entries.map((entry) => entry.wrapped.map(({ kind, id }) => `${kind} ${id}`).join(" + ")));
}

test("after a rotation every keyring opens with the new key alone", async () => {
  const { run, keys } = await makeProject();
  const before = await openBackupKeys(run, second);
  const { keyId } = await keys.rotate("retail");
  expect(await rotateKeys(task(run), run)).toEqual({ rewrapped: 2, alreadyCurrent: 0, keyId });
  expect(await recipientsOf(run, first)).toEqual(new Set([`project ${keyId}`]));
  expect(await recipientsOf(run, second)).toEqual(new Set([`project ${keyId}`]));
  const after = await openBackupKeys(run, second);
  expect(after.data).toEqual(before.data);
  expect(after.filesOf(first)).toEqual(before.filesOf(first));
});

test("a second call finds nothing left to do", async () => {
  const { run, keys } = await makeProject();
  await keys.rotate("retail");
  await rotateKeys(task(run), run);
  expect(await rotateKeys(task(run), run)).toMatchObject({ rewrapped: 0, alreadyCurrent: 2 });
});

test("a dry run counts and changes nothing", async () => {
  const { run, keys } = await makeProject();
  const before = await readKeyring(run.store, "retail", second);
  await keys.rotate("retail");
  expect(await rotateKeys(task(run, true), run)).toMatchObject({ rewrapped: 2, alreadyCurrent: 0 });
  expect(await readKeyring(run.store, "retail", second)).toEqual(before);
});

test("a new recovery key is added to the keyrings there are", async () => {
  const { run, keys } = await makeProject();
  const recovery = await keys.createRecoveryKey("retail");
  expect(await rotateKeys(task(run), run)).toMatchObject({ rewrapped: 2 });
  const newMachine = makeKeys();
  await newMachine.importKeyfile(recovery.privateText);
  const opened = await openBackupKeys({ ...run, keys: newMachine }, second);
  expect(opened.data).toEqual((await openBackupKeys(run, second)).data);
});

test("a replaced recovery key opens nothing any more", async () => {
  const { run, keys } = await makeProject();
  const old = await keys.createRecoveryKey("retail");
  await rotateKeys(task(run), run);
  await keys.createRecoveryKey("retail");
  await rotateKeys(task(run), run);
  const finder = makeKeys();
  await finder.importKeyfile(old.privateText);
  await expect(openBackupKeys({ ...run, keys: finder }, first)).rejects.toMatchObject({ code: "key-wrong" });
});

test("a keyring that does not open is reported after the others are done, and is left as it is", async () => {
  const { run, keys } = await makeProject();
  const name = keyringName("retail", first);
  const keyring = JSON.stringify(await readKeyring(run.store, "retail", first));
  const damaged = keyring.replace(/"wrapped":"(.)/, (_, c: string) => `"wrapped":"${c === "A" ? "B" : "A"}`);
  await run.store.replace(name, Buffer.from(damaged));
  const { keyId } = await keys.rotate("retail");
  const failure = await rotateKeys(task(run), run).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "keyring-damaged" });
  expect(String(failure)).toContain(first);
  expect(await recipientsOf(run, second)).toEqual(new Set([`project ${keyId}`]));
  const left = await readKeyring(run.store, "retail", first);
  expect(left?.keys.data).toEqual((JSON.parse(damaged) as { keys: { data: unknown } }).keys.data);
});

test("a project without a key is not given one by a rotation", async () => {
  const { run } = await makeProject();
  const elsewhere = { ...run, keys: makeKeys() };
  await expect(rotateKeys(task(run), elsewhere)).rejects.toMatchObject({ code: "key-missing" });
});

test("no keyring that a deletion destroyed comes back", async () => {
  const { run, keys } = await makeProject();
  await run.store.delete(keyringName("retail", first));
  await run.store.replace(`backups/retail/${first}/a1/files/000001`, Buffer.from("kept"));
  await keys.rotate("retail");
  expect(await rotateKeys(task(run), run)).toMatchObject({ rewrapped: 1 });
  expect(await run.store.head(keyringName("retail", first))).toBeUndefined();
});
