import { Failure } from "../../core/failure.ts";
import type { ObjectStore } from "../../core/ports/object-store.ts";

const largestBytes = 64 * 1024 * 1024;

/** A small object whole. Rejects with `backup-incomplete` when there is none. */
export async function readObject(store: ObjectStore, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of store.read(name)) {
    length += chunk.length;
    if (length > largestBytes) throw new Failure("data-damaged", `${name} is far larger than it can be.`);
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks, length);
}
