import { Failure } from "../../core/failure.ts";
import { backupPrefix, associatedData } from "../../core/repository/layout.ts";
import { isPackName } from "../../core/repository/manifest.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import { ContentReader, openMember } from "../read/read-files.ts";
import type { TaskRun } from "../task.ts";
import type { StoredEntry, StoredPiece } from "./stored-pieces.ts";

/**
 * Reads a stored file back and compares the content of each of its entries with what the manifest says.
 * Rejects with an integrity failure that names the first which differs. A pack is read once, from its beginning to
 * its end. Memory: one member.
 */
export async function verifyPiece(
  run: TaskRun,
  backupId: string,
  keys: BackupKeys,
  piece: StoredPiece,
): Promise<void> {
  if (isPackName(piece.file)) return verifyPack(run, backupId, keys, piece);
  const reader = new ContentReader(run, backupId, keys);
  for (const entry of piece.entries) {
    for await (const content of reader.read(entry)) {
      run.signal.throwIfAborted();
      // Given out only when it is authentic; its SHA-256 is compared at the end.
      void content;
    }
  }
}

async function verifyPack(
  run: TaskRun,
  backupId: string,
  keys: BackupKeys,
  { owner, file, entries }: StoredPiece,
): Promise<void> {
  const { projectId } = run.context;
  const key = keys.filesOf(owner);
  if (key === undefined) {
    throw new Failure(
      "keyring-damaged",
      `keyring.json of ${backupId} has no files key of ${owner}, whose bytes its manifest refers to. ` +
        "Put keyring.json back from a copy of the repository.",
    );
  }
  const members = entries.toSorted((a, b) => a.stored.offset - b.stored.offset);
  const check = (entry: StoredEntry, encrypted: Buffer): void => {
    const data = associatedData(projectId, owner, file, entry.stored.offset);
    openMember({ owner, key, data }, entry, entry.stored, encrypted);
  };
  let next = 0;
  /** Bytes of the pack from `heldFrom` on: what the next members need of what was read. */
  let held: Buffer = Buffer.alloc(0);
  let heldFrom = 0;
  for await (const chunk of run.store.read(backupPrefix(projectId, owner) + file)) {
    run.signal.throwIfAborted();
    held = Buffer.concat([held, chunk]);
    for (let member = members[next]; member !== undefined; member = members[next]) {
      const from = member.stored.offset - heldFrom;
      if (from + member.stored.length > held.length) break;
      check(member, held.subarray(from, from + member.stored.length));
      next += 1;
    }
    const needed = (members[next]?.stored.offset ?? Number.POSITIVE_INFINITY) - heldFrom;
    const done = Math.min(needed, held.length);
    held = held.subarray(done);
    heldFrom += done;
  }
  if (next === members.length) return;
  throw new Failure(
    "backup-incomplete",
    `${file} of ${owner} in ${run.store.url} ends before its members do.`,
  );
}
