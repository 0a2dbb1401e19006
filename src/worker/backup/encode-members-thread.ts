/** A thread that encodes batches in the order they come; each goes on in its pack where the one before ended. */
import { parentPort, workerData } from "node:worker_threads";
import { encodeMembers, type MemberOwner, type ThreadBatch } from "./encode-members.ts";

const owner = workerData as MemberOwner;
let nextOffset = 0;

parentPort?.on("message", ({ offset, ...batch }: ThreadBatch) => {
  const encoded = encodeMembers(owner, { ...batch, offset: offset ?? nextOffset });
  nextOffset = (offset ?? nextOffset) + encoded.lengthBytes;
  parentPort?.postMessage(encoded, []);
});
