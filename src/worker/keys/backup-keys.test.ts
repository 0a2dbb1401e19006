import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, expect, test } from "vitest";

import { keyringName } from "../../core/repository/layout.ts";
import { KeyfileService } from "../../keys/keyfile/keyfile-service.ts";
import { MemoryStore } from "../../stores/memory/memory-store.ts";
import { addKeyReferences, createBackupKeys, openBackupKeys, readKeyring } from "./backup-keys.ts";
import type { BackupKeys, KeyringPlace } from "./backup-keys.ts";
import type { OpenedKey } from "./keyring-entries.ts";

const backupId = "backup-20261124-020000-abc123";
const earlierId = "backup-20261123-020000-abc123";
const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

function makeKeys(): KeyfileService {
  const folder = mkdtempSync(join(tmpdir(), "lc2-keys-"));
  folders.push(folder);
  return new KeyfileService(folder);
}

const makePlace = (): KeyringPlace & { store: MemoryStore } => ({
  context: { projectId: "retail" },
  store: new MemoryStore(),
  keys: makeKeys(),
});

async function editKeyring(
  place: KeyringPlace,
  edit: (text: string) => string,
  id = backupId,
): Promise<void> {
  const keyring = await readKeyring(place.store, "retail", id);
  const text = edit(JSON.stringify(keyring));
  await place.store.replace(keyringName("retail", id), Buffer.from(text));
}

/** The same keyring with another value of one member, however deep. */
const withMember =
  (path: readonly string[], change: (value: string) => string) =>
  (text: string): string => {
    const keyring = JSON.parse(text) as Record<string, unknown>;
    let at = keyring;
    for (const name of path.slice(0, -1)) at = at[name] as Record<string, unknown>;
    const last = path.at(-1) as string;
    at[last] = change(at[last] as string);
    return JSON.stringify(keyring);
  };

const filesKeyOf = (id: string, keys: BackupKeys): Map<string, OpenedKey> =>
  new Map([[id, keys.filesKeyOf(id) as OpenedKey]]);

const flipFirstBit = (text: string): string => {
  const bytes = Buffer.from(text, "base64");
  bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
  return bytes.toString("base64");
};
const otherDigit = (text: string): string => (text.startsWith("0") ? "1" : "0") + text.slice(1);

test("a backup's keys are made once and opened again", async () => {
  const place = makePlace();
  const first = await createBackupKeys(place, backupId);
  const second = await createBackupKeys(place, backupId);
  const opened = await openBackupKeys(place, backupId);
  expect(first.projectKeyCreated).toBe(true);
  expect(second.projectKeyCreated).toBe(false);
  expect(second.keys.data).toEqual(first.keys.data);
  expect(opened.files).toEqual(first.keys.files);
  expect(opened.data).not.toEqual(opened.files);
  expect(opened.filesOf(backupId)).toEqual(opened.files);
  expect(opened.filesOf(earlierId)).toBeUndefined();
});

test("two processes that create at once get the same keys", async () => {
  const place = makePlace();
  const other = { ...place, keys: place.keys };
  const [a, b] = await Promise.all([createBackupKeys(place, backupId), createBackupKeys(other, backupId)]);
  expect(a.keys.data).toEqual(b.keys.data);
  expect(a.keys.files).toEqual(b.keys.files);
});

test("the files keys of earlier backups are added, and stay", async () => {
  const place = makePlace();
  const earlier = await createBackupKeys(place, earlierId);
  await createBackupKeys(place, backupId);
  await addKeyReferences(place, backupId, filesKeyOf(earlierId, earlier.keys));
  const before = await readKeyring(place.store, "retail", backupId);
  await addKeyReferences(place, backupId, filesKeyOf(earlierId, earlier.keys));
  await place.store.delete(keyringName("retail", earlierId));
  expect((await openBackupKeys(place, backupId)).filesOf(earlierId)).toEqual(earlier.keys.files);
  expect(await readKeyring(place.store, "retail", backupId)).toEqual(before);
});

test("a damaged reference costs the files that need it, not the backup", async () => {
  const place = makePlace();
  const earlier = await createBackupKeys(place, earlierId);
  const { keys } = await createBackupKeys(place, backupId);
  await addKeyReferences(place, backupId, filesKeyOf(earlierId, earlier.keys));
  await editKeyring(place, withMember(["references", earlierId, "wrapped", "0", "wrapped"], flipFirstBit));
  const opened = await openBackupKeys(place, backupId);
  expect(opened.data).toEqual(keys.data);
  expect(() => opened.filesOf(earlierId)).toThrow(expect.objectContaining({ code: "keyring-damaged" }));
});

test("a missing keyring is told from a missing key", async () => {
  const place = makePlace();
  await expect(openBackupKeys(place, backupId)).rejects.toMatchObject({ code: "backup-incomplete" });
  await createBackupKeys(place, backupId);
  const elsewhere = { ...place, keys: makeKeys() };
  await expect(openBackupKeys(elsewhere, backupId)).rejects.toMatchObject({ code: "key-missing" });
});

test("a new project key is not made beside a keyring that needs the old one", async () => {
  const place = makePlace();
  await createBackupKeys(place, backupId);
  const elsewhere = { ...place, keys: makeKeys() };
  await expect(createBackupKeys(elsewhere, backupId)).rejects.toMatchObject({ code: "key-missing" });
  await expect(elsewhere.keys.recipients("retail", { create: false })).rejects.toMatchObject({
    code: "key-missing",
  });
});

test("another installation's key is called wrong, and both keys are named", async () => {
  const place = makePlace();
  await createBackupKeys(place, backupId);
  const elsewhere = { ...place, keys: makeKeys() };
  const { recipients } = await elsewhere.keys.recipients("retail", { create: true });
  const failure = await openBackupKeys(elsewhere, backupId).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "key-wrong" });
  const needed = (await place.keys.recipients("retail", { create: false })).recipients;
  expect(String(failure)).toContain(recipients[0]?.id);
  expect(String(failure)).toContain(needed[0]?.id);
});

test.each([
  ["the wrapped data key", ["keys", "data", "wrapped", "0", "wrapped"], flipFirstBit],
  ["the wrapped files key", ["keys", "files", "wrapped", "0", "wrapped"], flipFirstBit],
  ["the data key's check", ["keys", "data", "check"], otherDigit],
  ["the files key's check", ["keys", "files", "check"], otherDigit],
  ["the data key's recipient", ["keys", "data", "wrapped", "0", "id"], otherDigit],
  ["the files key's recipient", ["keys", "files", "wrapped", "0", "id"], otherDigit],
  ["the backup's id", ["backupId"], () => earlierId],
  ["the project's id", ["projectId"], () => "media"],
] as const)("a change of %s is found as damage to the keyring", async (_, path, change) => {
  const place = makePlace();
  await createBackupKeys(place, backupId);
  await editKeyring(place, withMember(path, change));
  await expect(openBackupKeys(place, backupId)).rejects.toMatchObject({ code: "keyring-damaged" });
});

test("the keyring of another backup does not open, even under the right id", async () => {
  const place = makePlace();
  await createBackupKeys(place, backupId);
  await createBackupKeys(place, earlierId);
  const [ours, theirs] = await Promise.all([
    readKeyring(place.store, "retail", backupId),
    readKeyring(place.store, "retail", earlierId),
  ]);
  const put = (keyring: unknown): Promise<void> =>
    place.store.replace(keyringName("retail", backupId), Buffer.from(JSON.stringify(keyring)));
  await put(theirs);
  await expect(openBackupKeys(place, backupId)).rejects.toMatchObject({ code: "keyring-damaged" });
  await put({ ...theirs, backupId });
  await expect(openBackupKeys(place, backupId)).rejects.toMatchObject({ code: "keyring-damaged" });
  // Data and files key of the very same backup are not interchangeable either.
  await put({ ...ours, keys: { data: ours?.keys.files, files: ours?.keys.data } });
  await expect(openBackupKeys(place, backupId)).rejects.toMatchObject({ code: "keyring-damaged" });
});

test.each([
  ["no JSON", "{"],
  ["another kind of file", '{"format":"lc2-backup","formatVersion":1}'],
  ["null", "null"],
])("%s in the keyring's place is damage", async (_, text) => {
  const place = makePlace();
  await place.store.replace(keyringName("retail", backupId), Buffer.from(text));
  await expect(openBackupKeys(place, backupId)).rejects.toMatchObject({ code: "keyring-damaged" });
});

test("a keyring of a newer format says so", async () => {
  const place = makePlace();
  await createBackupKeys(place, backupId);
  await editKeyring(place, (text) => text.replace('"formatVersion":1', '"formatVersion":2'));
  await expect(openBackupKeys(place, backupId)).rejects.toMatchObject({ code: "format-too-new" });
});

test("the recovery key opens a backup when the project's key is lost", async () => {
  const place = makePlace();
  const keys = place.keys as KeyfileService;
  await keys.recipients("retail", { create: true });
  const recovery = await keys.createRecoveryKey("retail");
  const made = await createBackupKeys(place, backupId);
  const newMachine = makeKeys();
  await newMachine.importKeyfile(recovery.privateText);
  const opened = await openBackupKeys({ ...place, keys: newMachine }, backupId);
  expect(opened.data).toEqual(made.keys.data);
});
