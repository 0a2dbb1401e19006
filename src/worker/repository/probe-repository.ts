import type { ProbeRepositoryResult, TaskOf } from "../../contract/worker-task.ts";
import type { ObjectStore, StoreCapability } from "../../core/ports/object-store.ts";
import { probePrefix, repositoryFile } from "../../core/repository/layout.ts";
import { isLocked, listProbes, removeProbe } from "./probe-objects.ts";
import { readObject } from "../streams/read-object.ts";
import type { TaskRun } from "../task.ts";

/** A dead probe's objects are cleared away by the next one, a living one's are left alone. */
const deadAfterMs = 3_600_000;

/**
 * Tries what the store at this place does, by doing it: writes, reads, ranges, the conditional create that seals
 * a backup, the order of listings, deletion; then what only this kind of store may do. Needs no repository and
 * makes none. Rejects with what the store says when it cannot be written or read at all.
 */
export async function probeRepository(
  _task: TaskOf<"probe-repository">,
  run: TaskRun,
): Promise<ProbeRepositoryResult> {
  const { store } = run;
  const repositoryFound = (await store.head(repositoryFile)) !== undefined;
  await clearDeadProbes(run);
  const prefix = `${probePrefix}${run.ids.hex(16)}/`;
  try {
    const capabilities: StoreCapability[] = [];
    for (const probe of [
      probeWrite,
      probeRange,
      probeConditionalCreate,
      probeReplace,
      probeOrder,
      probeDelete,
    ]) {
      run.signal.throwIfAborted();
      capabilities.push(await probe(store, prefix));
    }
    const own = (await store.probe?.(prefix)) ?? [];
    // What the store's own look says is nearer to the truth: it sees through what we do to make up for it.
    const names = new Set(own.map(({ name }) => name));
    return {
      repositoryFound,
      capabilities: [...capabilities.filter(({ name }) => !names.has(name)), ...own],
    };
  } finally {
    await deleteAll(store, prefix);
  }
}

const bytesOf = (text: string): Uint8Array => Buffer.from(text);

async function probeWrite(store: ObjectStore, prefix: string): Promise<StoreCapability> {
  const name = `${prefix}write`;
  const writer = await store.write(name);
  await writer.write(bytesOf("written by lc2 to see whether it can be read again"));
  await writer.commit();
  const read = (await readObject(store, name)).toString();
  return yesOrNo("write-and-read", read === "written by lc2 to see whether it can be read again", [
    "What is written is read back byte for byte.",
    "What was written came back as something else: this store loses data and is unfit for backups.",
  ]);
}

async function probeRange(store: ObjectStore, prefix: string): Promise<StoreCapability> {
  const chunks: Buffer[] = [];
  for await (const chunk of store.read(`${prefix}write`, { offset: 11, length: 3 }))
    chunks.push(Buffer.from(chunk));
  return yesOrNo("range-read", Buffer.concat(chunks).toString() === "lc2", [
    "A part of an object is read without the rest, so one file is restored without reading a whole pack.",
    "A range that was asked for came back as something else: files cannot be restored from this store.",
  ]);
}

async function probeConditionalCreate(store: ObjectStore, prefix: string): Promise<StoreCapability> {
  const name = `${prefix}once`;
  const first = await store.createIfAbsent(name, bytesOf("first"));
  const second = await store.createIfAbsent(name, bytesOf("second"));
  const kept = (await readObject(store, name)).toString() === "first";
  return yesOrNo("conditional-create", first && !second && kept, [
    "Of two that create the same object one is refused, so a backup is sealed by exactly one.",
    "A second create of the same object was accepted. Backups are sealed under the repository's lease instead; " +
      "never let two installations whose clocks disagree write here.",
  ]);
}

async function probeReplace(store: ObjectStore, prefix: string): Promise<StoreCapability> {
  const name = `${prefix}replaced`;
  await store.replace(name, bytesOf("before"));
  await store.replace(name, bytesOf("after"));
  return yesOrNo("replace", (await readObject(store, name)).toString() === "after", [
    "A replaced object is read in its new form at once, which leases rely on.",
    "A replaced object was read in its old form: leases cannot be relied on here.",
  ]);
}

async function probeOrder(store: ObjectStore, prefix: string): Promise<StoreCapability> {
  const expected = ["order/B", "order/a-", "order/a/b", "order/a0"].map((name) => `${prefix}${name}`);
  for (const name of expected.toReversed()) await store.createIfAbsent(name, bytesOf("x"));
  const listed: string[] = [];
  for await (const { name } of store.list(`${prefix}order/`)) listed.push(name);
  const complete = listed.toSorted().join() === expected.toSorted().join();
  if (!complete) {
    const sentence =
      "A listing did not show what had just been written: wait a minute before a sweep or a check, and do not delete here.";
    return { name: "listing", answer: "no", sentence };
  }
  return yesOrNo("listing", listed.join() === expected.join(), [
    "A listing shows at once what was written, in order of names.",
    "A listing shows what was written, but not in order of names; it is sorted after it was read.",
  ]);
}

async function probeDelete(store: ObjectStore, prefix: string): Promise<StoreCapability> {
  const name = `${prefix}once`;
  try {
    await store.delete(name);
  } catch (error) {
    if (!isLocked(error)) throw error;
    return { name: "delete", answer: "no", sentence: error.message };
  }
  return yesOrNo("delete", (await store.head(name)) === undefined, [
    "A deleted object is gone for readers.",
    "A deleted object can still be read: nothing can be deleted from this store now.",
  ]);
}

const yesOrNo = (
  name: string,
  isYes: boolean,
  [yes, no]: readonly [yes: string, no: string],
): StoreCapability => ({ name, answer: isYes ? "yes" : "no", sentence: isYes ? yes : no });

async function clearDeadProbes(run: TaskRun): Promise<void> {
  for await (const { name, modifiedAtMs } of listProbes(run.store)) {
    if (run.clock.nowMs() - modifiedAtMs > deadAfterMs) await removeProbe(run.store, name);
  }
}

async function deleteAll(store: ObjectStore, prefix: string): Promise<void> {
  const names: string[] = [];
  for await (const { name } of store.list(prefix)) names.push(name);
  for (const name of names) await removeProbe(store, name);
}
