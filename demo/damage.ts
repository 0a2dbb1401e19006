/** What a bad day does to a database and a folder; sentences say what was done. */
import {
  closeSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { openClient } from "./postgres-servers.ts";
import { showCount } from "./transcript.ts";

/** Drops a table, empties another, deletes large objects, changes rows. Runs as the database's owner. */
export async function damageDatabase(url: string, password: string): Promise<string[]> {
  const client = await openClient(url, password);
  const changed = async (sql: string) => showCount((await client.query(sql)).rowCount ?? 0);
  try {
    const articles = await changed("SELECT FROM public.journalarticle");
    await client.query("DROP TABLE public.journalarticle CASCADE");
    const documents = await changed("SELECT FROM cms.document");
    await client.query("TRUNCATE cms.document");
    await client.query("DELETE FROM public.dlcontent WHERE contentid % 2 = 0");
    const left = await changed("SELECT FROM pg_largeobject_metadata");
    const users = await changed(
      "UPDATE public.user_ SET emailaddress = 'nobody@example.org' WHERE userid % 3 = 0",
    );
    await client.query("DROP PROCEDURE cms.archive; SELECT setval('analytics.event_event_id_seq', 1)");
    return [
      `table public.journalarticle dropped (${articles} rows)`,
      `table cms.document emptied (${documents} rows)`,
      `every second large object deleted (${left} left)`,
      `${users} e-mail addresses overwritten, a procedure dropped, a sequence set back`,
    ];
  } finally {
    await client.end();
  }
}

/** Deletes a branch, spoils some files without changing their size or time, overwrites others, adds one. */
export function damageFolder(folder: string): string[] {
  const branch = join(folder, "20097/20101");
  const deleted = filesBelow(branch).length;
  rmSync(branch, { recursive: true });
  const documents = filesBelow(join(folder, "20097/20102")).filter((path) => /\/1\.\d$/.test(path));
  const spoiled = documents.filter((_, index) => index % 7 === 0);
  spoiled.forEach(flipByte);
  const overwritten = documents.filter((_, index) => index % 7 === 3);
  for (const path of overwritten) writeFileSync(path, "Your files are encrypted. Pay.\n");
  writeFileSync(join(folder, "READ_ME_TO_PAY.txt"), "1 coin\n");
  return [
    `${showCount(deleted)} files deleted with their folders`,
    `${showCount(spoiled.length)} files with one byte flipped, size and time as before`,
    `${showCount(overwritten.length)} files overwritten, one put in that does not belong there`,
  ];
}

function flipByte(path: string): void {
  const { size, atime, mtime } = statSync(path);
  const file = openSync(path, "r+");
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, size >> 1);
  byte[0] = (byte[0] ?? 0) ^ 1;
  writeSync(file, byte, 0, 1, size >> 1);
  closeSync(file);
  utimesSync(path, atime, mtime);
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
