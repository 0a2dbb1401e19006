/** Other people's implementations open what we write, and we open what they write. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { associatedData, keyContext } from "../../src/core/repository/layout.ts";
import { KeyfileService } from "../../src/keys/keyfile/keyfile-service.ts";
import { MemoryStore } from "../../src/stores/memory/memory-store.ts";
import { createBackupKeys, readKeyring } from "../../src/worker/keys/backup-keys.ts";
import { createStoredFile } from "../../src/worker/streams/stored-file.ts";
import { decryptBytes } from "../../src/worker/streams/streaming-aead.ts";
import { encryptBytes } from "../support/encrypt-bytes.ts";
import { runPython } from "../support/python.ts";

/** `python -c … encrypt|decrypt KEY_HEX ASSOCIATED_DATA_HEX IN OUT`, with Tink as anybody would use it. */
const tink = `
import base64, json, sys
import tink
from tink import secret_key_access, streaming_aead

mode, key, associated_data, source, target = sys.argv[1:]
streaming_aead.register()
# AesGcmHkdfStreamingKey: segments of 1 MiB, derived keys of 32 bytes, SHA-256, and the key.
value = bytes.fromhex("120808808040102018031a20") + bytes.fromhex(key)
handle = tink.json_proto_keyset_format.parse(json.dumps({"primaryKeyId": 1, "key": [{
    "keyData": {
        "typeUrl": "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
        "value": base64.b64encode(value).decode(), "keyMaterialType": "SYMMETRIC"},
    "status": "ENABLED", "keyId": 1, "outputPrefixType": "RAW"}]}), secret_key_access.TOKEN)
aead = handle.primitive(streaming_aead.StreamingAead)
associated_data = bytes.fromhex(associated_data)
if mode == "encrypt":
    with open(source, "rb") as i, aead.new_encrypting_stream(open(target, "wb"), associated_data) as o:
        o.write(i.read())
else:
    with aead.new_decrypting_stream(open(source, "rb"), associated_data) as i, open(target, "wb") as o:
        o.write(i.read())
`;

/** AES-GCM and X25519 of the \`cryptography\` package, by the words of the format's specification. */
const unwrap = `
import base64, hashlib, hmac, json, sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

key_text, keyring, context = open(sys.argv[1]).read(), json.load(open(sys.argv[2])), sys.argv[3].encode()
lines = [line.split(": ") for line in key_text.splitlines()]
rows = [base64.b32decode(line[1].replace(" ", ""))[:8] for line in lines if line[0] in ("1", "2", "3", "4")]
key = b"".join(rows[-4:])
entry = keyring["keys"]["data"]
kind = sys.argv[4]
for wrapped in entry["wrapped"]:
    if wrapped["kind"] != kind:
        continue
    if kind == "recovery":
        private = X25519PrivateKey.from_private_bytes(key)
        public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        ephemeral = base64.b64decode(wrapped["ephemeralPublicKey"])
        shared = private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
        key = HKDF(SHA256(), 32, ephemeral + public, b"lc2-recovery/1").derive(shared)
    data = base64.b64decode(wrapped["wrapped"])
    backup_key = AESGCM(key).decrypt(data[:12], data[12:], context)
    assert hmac.new(backup_key, b"lc2-key-check", hashlib.sha256).hexdigest()[:16] == entry["check"]
    print(backup_key.hex())
`;

const projectId = "retail";
const backupId = "backup-20261124-020000-abc123";
const name = "a1/database/shop.dump";
const place = associatedData(projectId, backupId, name);
const placeHex = Buffer.from(place).toString("hex");
const firstSegmentPlain = (1 << 20) - 40 - 16;
const nextSegmentPlain = (1 << 20) - 16;
const sizes = [
  0,
  1,
  1_000,
  firstSegmentPlain - 1,
  firstSegmentPlain,
  firstSegmentPlain + 1,
  firstSegmentPlain + nextSegmentPlain,
  firstSegmentPlain + nextSegmentPlain + 1,
  5_000_000,
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lc2-tink-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function throughTink(mode: "encrypt" | "decrypt", key: Buffer, bytes: Buffer): Promise<Buffer> {
  const [source, target] = [join(folder, "source"), join(folder, "target")];
  await writeFile(source, bytes);
  await runPython(tink, [mode, key.toString("hex"), placeHex, source, target]);
  return readFile(target);
}

describe("Tink's AES256_GCM_HKDF_1MB", () => {
  test.each(sizes)("opens what we encrypted: %i bytes", async (size) => {
    const [key, plain] = [randomBytes(32), randomBytes(size)];
    const opened = await throughTink("decrypt", key, encryptBytes(key, place, plain));
    expect(opened.equals(plain)).toBe(true);
  });

  test.each(sizes)("writes what we open: %i bytes", async (size) => {
    const [key, plain] = [randomBytes(32), randomBytes(size)];
    const stored = await throughTink("encrypt", key, plain);
    expect(decryptBytes(key, place, stored, "Tink's stream").equals(plain)).toBe(true);
  });

  test("refuses our stream cut at a segment's end, as we do", async () => {
    const key = randomBytes(32);
    const stored = encryptBytes(key, place, randomBytes(firstSegmentPlain + nextSegmentPlain + 1));
    await expect(throughTink("decrypt", key, stored.subarray(0, 2 << 20))).rejects.toThrow("TinkError");
  });

  test("opens a stored file, which then is a .zst of several frames", async () => {
    const store = new MemoryStore();
    const key = randomBytes(32);
    const writer = await createStoredFile({ store, projectId, backupId, key }, name);
    const plain = [randomBytes(1_500_000), Buffer.alloc(4 << 20, "INSERT "), randomBytes(7)];
    await Promise.all(plain.map((piece) => writer.write(piece)));
    const file = await writer.finish();
    const chunks: Buffer[] = [];
    for await (const chunk of store.read(`backups/${projectId}/${backupId}/${name}`)) {
      chunks.push(Buffer.from(chunk));
    }
    const stored = Buffer.concat(chunks);
    expect(createHash("sha256").update(stored).digest("hex")).toBe(file.sha256);
    const zst = await throughTink("decrypt", key, stored);
    expect(zstdDecompressSync(zst).equals(Buffer.concat(plain))).toBe(true);
  });
});

describe("a keyring opened by its specification alone", () => {
  test.each(["project", "recovery"] as const)("with the %s key", async (kind) => {
    const keys = new KeyfileService(join(folder, kind));
    const run = { context: { projectId }, store: new MemoryStore(), keys };
    await keys.recipients(projectId, { create: true });
    const recovery = await keys.createRecoveryKey(projectId);
    const made = await createBackupKeys(run, backupId);
    // The keyfile's last block is the recovery public key; the project key's block is asked for alone.
    const exported = await keys.exportKeyfile(projectId);
    const projectText = exported.slice(0, exported.indexOf("recovery-public-key"));
    const [keyFile, keyringFile] = [join(folder, "key"), join(folder, "keyring.json")];
    await writeFile(keyFile, kind === "project" ? projectText : recovery.privateText);
    await writeFile(keyringFile, JSON.stringify(await readKeyring(run.store, projectId, backupId)));
    const context = keyContext(projectId, backupId, "data");
    const { stdout } = await runPython(unwrap, [keyFile, keyringFile, context, kind]);
    expect(stdout.trim()).toBe(made.keys.signing.toString("hex"));
  });
});
