import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { Failure } from "../../core/failure.ts";
import { backupPrefix } from "../../core/repository/layout.ts";
import { canonicalJson, type Signature } from "../../core/repository/metadata.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import { readObject } from "../streams/read-object.ts";
import type { TaskRun } from "../task.ts";

/**
 * Leaves what a task of an attempt measured, signed with the backup's data key. `name` is relative to the backup. Written
 * again it replaces what was there.
 */
export async function writeEvidence(
  run: TaskRun,
  backupId: string,
  name: string,
  evidence: object,
  keys: BackupKeys,
): Promise<void> {
  const signed = { ...evidence, signature: sign(evidence, name, keys) };
  const bytes = Buffer.from(`${JSON.stringify(signed, null, 2)}\n`);
  await run.store.replace(backupPrefix(run.context.projectId, backupId) + name, bytes);
}

/**
 * What `writeEvidence` left, its signature checked; undefined where there is nothing. Rejects with `evidence-damaged`
 * where it is not what a task of this backup wrote under this name.
 */
export async function findEvidence<T extends object>(
  run: TaskRun,
  backupId: string,
  name: string,
  keys: BackupKeys,
): Promise<T | undefined> {
  const object = backupPrefix(run.context.projectId, backupId) + name;
  if ((await run.store.head(object)) === undefined) return undefined;
  const { signature, ...evidence } = parse(run, backupId, name, await readObject(run.store, object));
  if (!isSigned(evidence, signature, name, keys)) throw damaged(run, backupId, name);
  return evidence as T;
}

type Signed = object & { readonly signature?: Partial<Signature> };

function parse(run: TaskRun, backupId: string, name: string, bytes: Buffer): Signed {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // Said below.
  }
  throw damaged(run, backupId, name);
}

function isSigned(evidence: object, signature: Signed["signature"], name: string, keys: BackupKeys): boolean {
  // An earlier version left it unsigned. Where lc2 encrypts, the files that it names are authenticated without it.
  if (signature === undefined && keys.encryption === "client") return true;
  const expected = Buffer.from(sign(evidence, name, keys).value, "hex");
  const given = Buffer.from(String(signature?.value), "hex");
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** As `metadata.json` is signed, by a key that is of this name alone: no evidence can stand in for another. */
function sign(evidence: object, name: string, { signing }: BackupKeys): Signature {
  const key = Buffer.from(hkdfSync("sha256", signing, new Uint8Array(), `lc2-evidence/1\n${name}`, 32));
  const value = createHmac("sha256", key).update(canonicalJson(evidence)).digest("hex");
  return { algorithm: "HMAC-SHA256", value };
}

const damaged = (run: TaskRun, backupId: string, name: string): Failure =>
  new Failure(
    "evidence-damaged",
    `${name} of ${backupId} in ${run.store.url} is not as this backup's own work wrote it: its signature does not fit, so somebody ` +
      "else put it there or changed it. It is not used. Find out who can write to the repository, then run the backup again.",
  );
