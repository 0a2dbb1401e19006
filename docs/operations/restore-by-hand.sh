#!/usr/bin/env bash
# Restores a backup with public tools only, this software gone:
#   restore-by-hand.sh REPOSITORY PROJECT BACKUP_ID KEYFILE OUT
# leaves
#   OUT/database/NAME.dump   custom archives that pg_restore reads, and roles.sql, NAME.inventory.json
#   OUT/hooks/NAME/artifact.tar  what hooks left, such as an exported configuration
#   OUT/files/…              the files under their source names, with modes and modification times
# and of a backup of a bucket
#   OUT/objects.jsonl        a line for each object: its key, the file with its bytes, and what the bucket kept
#                            beside them (content type, metadata, tags, …)
#   OUT/odd-keys/1, 2, …     bytes of objects whose keys no folder can hold (a//b, ../b, a beside a/b, …)
# OUT must not exist or be empty. A repository in a bucket is copied into a folder first, by any S3 client.
# Needs bash, python3 (3.9 or later) with venv and pip, and a package index to get two public libraries from:
# Google's tink (the encryption) and zstandard (the compression). KEYFILE is the project's keyfile or what
# `lc2 key export` printed; a recovery key does as well. The steps are explained in restore-by-hand.md.
# Also when it is started by another shell.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -euo pipefail

if [ "$#" -ne 5 ]; then
  echo "usage: restore-by-hand.sh REPOSITORY PROJECT BACKUP_ID KEYFILE OUT" >&2
  exit 2
fi
for command in python3 sha256sum; do
  command -v "$command" >/dev/null || { echo "restore-by-hand.sh: $command is needed" >&2; exit 1; }
done

python=${LC2_BY_HAND_PYTHON:-}
if [ -z "$python" ]; then
  if python3 -c 'import tink, zstandard, cryptography' 2>/dev/null; then
    python=python3
  else
    venv=$(mktemp -d)
    trap 'rm -rf "$venv"' EXIT
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check 'tink==1.16.1' 'zstandard==0.25.0' 'cryptography>=42' >&2
    python=$venv/bin/python
  fi
fi

"$python" - "$@" <<'PYTHON'
import base64, hashlib, hmac, io, json, os, sys

import tink
import zstandard
from tink import aead, cleartext_keyset_handle, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, aes_gcm_pb2, common_pb2, tink_pb2

repository, project, backup_id, keyfile, out = sys.argv[1:6]
repository = repository.removeprefix("file://")
aead.register()
streaming_aead.register()


def fail(message):
    sys.exit(f"restore-by-hand: {message}")


# --- the keyfile: blocks "key: ID", then four lines "N: base32" of 8 bytes and 2 bytes of check --------------


def read_keys(path):
    keys, recovery, current = {}, {}, None
    for line in open(path, encoding="utf-8"):
        line = line.strip()
        name, _, value = line.partition(":")
        if name in ("key", "recovery-private-key"):
            current = bytearray()
            (keys if name == "key" else recovery)[value.strip()] = current
        elif name == "recovery-public-key":
            current = bytearray()
        elif name in ("1", "2", "3", "4") and current is not None:
            row = base64.b32decode(value.replace(" ", "").replace("-", "").upper())
            check = hashlib.sha256(f"lc2-key-line {name}\n".encode() + row[:8]).digest()[:2]
            if check != row[8:]:
                fail(f"line {name} of a key in {path} fails its check; compare it with the paper copy")
            current += row[:8]
    return {k: bytes(v) for k, v in keys.items()}, {k: bytes(v) for k, v in recovery.items()}


# --- the keyring: AES-256-GCM, 12 bytes nonce first, associated data = the context ----------------------------


def handle(type_url, message, kind):
    key = tink_pb2.Keyset.Key(
        key_data=tink_pb2.KeyData(type_url=type_url, value=message.SerializeToString(), key_material_type=kind),
        status=tink_pb2.ENABLED, key_id=1, output_prefix_type=tink_pb2.RAW)
    keyset = tink_pb2.Keyset(primary_key_id=1, key=[key])
    return cleartext_keyset_handle.from_keyset(keyset)


def aes_gcm(key):
    message = aes_gcm_pb2.AesGcmKey(key_value=key)
    url = "type.googleapis.com/google.crypto.tink.AesGcmKey"
    return handle(url, message, tink_pb2.KeyData.SYMMETRIC).primitive(aead.Aead)


def recovery_wrapping_key(private, ephemeral):
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    own = X25519PrivateKey.from_private_bytes(private)
    salt = ephemeral + own.public_key().public_bytes_raw()
    shared = own.exchange(X25519PublicKey.from_public_bytes(ephemeral))
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"lc2-recovery/1").derive(shared)


def unwrap(entry, name):
    mode = ";server" if entry.get("encryption") == "server" else ""
    context = f"lc2-keyring/1\n{project}\n{backup_id}\n{name}{mode}".encode()
    for wrapped in entry["wrapped"]:
        if wrapped["kind"] == "project" and wrapped["id"] in project_keys:
            wrapping = project_keys[wrapped["id"]]
        elif wrapped["kind"] == "recovery" and wrapped["id"] in recovery_keys:
            ephemeral = base64.b64decode(wrapped["ephemeralPublicKey"])
            wrapping = recovery_wrapping_key(recovery_keys[wrapped["id"]], ephemeral)
        else:
            continue
        key = aes_gcm(wrapping).decrypt(base64.b64decode(wrapped["wrapped"]), context)
        if hmac.new(key, b"lc2-key-check", "sha256").hexdigest()[:16] != entry["check"]:
            fail(f"the {name} key fails its check value: keyring.json is damaged")
        return key
    fail(f"{keyfile} holds none of the keys that the {name} key of {backup_id} is wrapped with")


# --- stored files: Tink AES256_GCM_HKDF_1MB around zstd frames --------------------------------------------------


class EncryptedByStore:
    """Server mode: what the store gives is what is inside an encrypted stream."""

    def new_decrypting_stream(self, stored, associated):
        return stored


def streaming(key, entry):
    if entry.get("encryption") == "server":
        return EncryptedByStore()
    params = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
        ciphertext_segment_size=1 << 20, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256)
    message = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(params=params, key_value=key)
    url = "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey"
    return handle(url, message, tink_pb2.KeyData.SYMMETRIC).primitive(streaming_aead.StreamingAead)


def folder(owner):
    return os.path.join(repository, "backups", project, owner)


def plain_pieces(primitive, encrypted, owner, name, offset, codec):
    where = name if offset is None else f"{name}@{offset}"
    associated = f"lc2/1\n{project}\n{owner}\n{where}".encode()
    with primitive.new_decrypting_stream(encrypted, associated) as source:
        if codec == "zstd":
            reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
        else:
            reader = source
        while piece := reader.read(1 << 20):
            yield piece


def stored_file(file):
    path = os.path.join(folder(backup_id), file["name"])
    digest = hashlib.sha256()
    with open(path, "rb") as encrypted:
        while piece := encrypted.read(1 << 20):
            digest.update(piece)
    if digest.hexdigest() != file["sha256"]:
        fail(f"{path} has another SHA-256 than metadata.json states")
    yield from plain_pieces(data_stream, open(path, "rb"), backup_id, file["name"], None, file["codec"])


def write(path, pieces):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    digest = hashlib.sha256()
    with open(path, "wb") as target:
        for piece in pieces:
            target.write(piece)
            digest.update(piece)
    return digest.hexdigest()


# --- files: one JSON object a line says where each file's bytes are ---------------------------------------------


def lines(pieces):
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole


def name_of(entry, member):
    if member + "Hex" in entry:
        return bytes.fromhex(entry[member + "Hex"])
    return entry[member].encode()


def content(entry):
    at = entry.get("stored")
    if at is None:
        return
    owner = at.get("backup", backup_id)
    with open(os.path.join(folder(owner), at["file"]), "rb") as pack:
        # A member of a pack is an encrypted stream of its own at an offset; a large file is a stored file.
        member = os.path.basename(at["file"]).startswith("pack-")
        if member:
            pack.seek(at["offset"])
            source, offset = io.BytesIO(pack.read(at["length"])), at["offset"]
        else:
            source, offset = pack, None
        yield from plain_pieces(files_stream(owner), source, owner, at["file"], offset, at["codec"])


def fits_into_folder(root, key):
    """Whether a key can be a path below root beside what is there already: nothing may be lost or overwritten."""
    segments = key.removesuffix(b"/").split(b"/")
    if any(s in (b"", b".", b"..") or len(s) > 255 or b"\0" in s for s in segments):
        return False
    parents = [os.path.join(root, *segments[:depth]) for depth in range(1, len(segments))]
    if any(os.path.lexists(p) and not os.path.isdir(p) for p in parents):
        return False
    path = os.path.join(root, *segments)
    return os.path.isdir(path) if key.endswith(b"/") and os.path.lexists(path) else not os.path.lexists(path)


odd_keys = 0


def restore_object(root, entry, listing):
    """An object of a bucket: under its key where a folder can hold it, else under a number; listed either way."""
    global odd_keys
    key, directory = name_of(entry, "key"), entry["kind"] == "directory"
    fits = fits_into_folder(root, key) and (directory or not key.endswith(b"/"))
    if fits:
        place = os.path.join(b"files", key)
    else:
        odd_keys += 1
        place = f"odd-keys/{odd_keys}".encode()
    path = os.path.join(out.encode(), place)
    if directory and fits:
        os.makedirs(path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        digest = write(path, content(entry))
        if not directory and digest != entry["sha256"]:
            fail(f"{path!r} has another SHA-256 than the manifest states")
        os.utime(path, ns=(int(entry["mtimeNs"]), int(entry["mtimeNs"])))
    names = {m: entry[m] for m in ("key", "keyHex") if m in entry}
    line = {**names, "file": os.fsdecode(place), "object": entry["object"]}
    listing.write(json.dumps(line, ensure_ascii=True) + "\n")


def restore_files(component):
    root, folders = os.path.join(out, "files").encode(), []
    os.makedirs(root, exist_ok=True)
    listing = None
    for line in lines(stored_file(component["manifest"])):
        entry = json.loads(line)
        if "object" in entry:
            listing = listing or open(os.path.join(out, "objects.jsonl"), "w", encoding="ascii")
            restore_object(root, entry, listing)
            continue
        path = os.path.join(root, name_of(entry, "key"))
        if entry["kind"] == "directory":
            os.makedirs(path, exist_ok=True)
            folders.append((path.rstrip(b"/"), entry))
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if entry["kind"] == "symlink":
            os.symlink(name_of(entry, "target"), path)
            continue
        if write(path, content(entry)) != entry["sha256"]:
            fail(f"{path!r} has another SHA-256 than the manifest states")
        os.chmod(path, entry["mode"])
        os.utime(path, ns=(int(entry["mtimeNs"]), int(entry["mtimeNs"])))
    if listing:
        listing.close()
    for path, entry in reversed(folders):
        os.chmod(path, entry["mode"])
        os.utime(path, ns=(int(entry["mtimeNs"]), int(entry["mtimeNs"])))


if os.path.isdir(out) and os.listdir(out):
    fail(f"{out} is not empty; name a new folder, so that nothing is overwritten")
if repository.startswith("s3:"):
    fail("copy the bucket into a folder first, with any S3 client (aws s3 sync, rclone copy), and name that folder")
project_keys, recovery_keys = read_keys(keyfile)
metadata = json.load(open(os.path.join(folder(backup_id), "metadata.json"), encoding="utf-8"))
keyring = json.load(open(os.path.join(folder(backup_id), "keyring.json"), encoding="utf-8"))
data_key = unwrap(keyring["keys"]["data"], "data")
data_stream = streaming(data_key, keyring["keys"]["data"])

# The signature: HMAC-SHA256 over the metadata without it, members sorted, no white space.
signature = metadata.pop("signature")["value"]
prk = hmac.new(b"\0" * 32, data_key, "sha256").digest()
signing_key = hmac.new(prk, b"lc2-metadata/1\x01", "sha256").digest()
canonical = json.dumps(metadata, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
if hmac.new(signing_key, canonical.encode(), "sha256").hexdigest() != signature:
    fail("metadata.json was changed after it was written: its signature does not fit")

streams = {}


def files_stream(owner):
    if owner not in streams:
        own = owner == backup_id
        entry = keyring["keys"]["files"] if own else keyring["references"][owner]
        streams[owner] = streaming(unwrap(entry, "files" if own else f"files:{owner}"), entry)
    return streams[owner]


database = metadata["components"].get("database")
if database:
    for file in [*database["archives"], database["inventory"], database["roles"]]:
        target = os.path.join(out, "database", os.path.basename(file["name"]))
        write(target, stored_file(file))
        print(f"{target}  {os.path.getsize(target)} bytes")
for hook in metadata["components"].get("hooks", []):
    if "artifact" in hook:
        target = os.path.join(out, "hooks", hook["name"], "artifact.tar")
        write(target, stored_file(hook["artifact"]))
        print(f"{target}  {hook['artifact']['files']} files")
if metadata["components"].get("files"):
    restore_files(metadata["components"]["files"])
    print(f"{os.path.join(out, 'files')}  {metadata['components']['files']['objects']} files")
    if odd_keys:
        print(f"{os.path.join(out, 'odd-keys')}  {odd_keys} of them, whose keys no folder can hold: see objects.jsonl")
PYTHON
