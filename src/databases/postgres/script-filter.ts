import { Failure } from "../../core/failure.ts";

/** pg_restore's head of a script (settings only) and its tail (comments) are far shorter than these. */
const longestHeadBytes = 64 * 1024;
const longestTailBytes = 4096;

const endOfHead = Buffer.from("SET row_security = off;\n");
const commit = Buffer.from("\nCOMMIT;\n");

/**
 * A script of `pg_restore --file=- --single-transaction` as a part of a larger transaction: its own BEGIN and
 * COMMIT are cut off, and a lock that somebody holds is waited for at most a minute. (Without that option
 * pg_restore puts a transaction around each batch of large objects, whose COMMIT would end the larger one.)
 * Rows cannot be taken for the commands: they lie between head and tail. Constant memory.
 */
export async function* insideTransaction(script: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let held = Buffer.alloc(0);
  let begun = false;
  for await (const chunk of script) {
    held = Buffer.concat([held, chunk]);
    if (!begun) {
      const end = held.indexOf(endOfHead);
      if (end < 0 && held.length < longestHeadBytes) continue;
      held = withoutBegin(held, end + endOfHead.length);
      begun = true;
    }
    if (held.length <= longestTailBytes) continue;
    yield held.subarray(0, held.length - longestTailBytes);
    held = held.subarray(held.length - longestTailBytes);
  }
  if (!begun) held = withoutBegin(held, held.length);
  const start = held.lastIndexOf(commit);
  if (start < 0) throw unexpected("COMMIT");
  yield held.subarray(0, start + 1);
  yield held.subarray(start + commit.length);
}

function withoutBegin(bytes: Buffer, headLength: number): Buffer<ArrayBuffer> {
  const head = bytes.subarray(0, headLength).toString("latin1");
  if (!/^BEGIN;$/m.test(head)) throw unexpected("BEGIN");
  const changed = head
    .replace(/^BEGIN;$/m, "")
    .replace(/^SET lock_timeout = 0;$/m, "SET lock_timeout = '60s';");
  return Buffer.concat([Buffer.from(changed, "latin1"), bytes.subarray(headLength)]);
}

const unexpected = (what: string): Failure =>
  new Failure(
    "restore-tool-failed",
    `pg_restore's script has no ${what} where it was expected; nothing was changed.`,
  );
