import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";
import type { TaskOf, TaskResults } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import type { DefinitionRecord } from "../../core/ports/definition-records.ts";
import {
  changedElsewhere,
  mergeDefinitions,
  parseSavedDefinitions,
  type SavedDefinitions,
} from "../../core/repository/definitions.ts";
import { definitionsPrefix, formatVersion, keyContext } from "../../core/repository/layout.ts";
import { canonicalJson, type Signature } from "../../core/repository/metadata.ts";
import { keyCheck, wrapKey } from "../keys/keyring-entries.ts";
import { readObject } from "../streams/read-object.ts";
import type { TaskRun } from "../task.ts";
import { softwareVersion } from "../version.ts";
import { openRepository } from "./repository.ts";

/** In place of a backup's id, where the key that signs definitions is wrapped. */
const owner = "definitions";
const keyName = "signing";

/**
 * Writes a project's definitions beside what is there, merged with it, and removes the files that went into it. Two at
 * once leave two files, and lose nothing. Makes neither repository nor key: without them there is nothing yet to come
 * back to. Idempotent.
 */
export async function saveDefinitions(
  { definitions }: TaskOf<"save-definitions">,
  run: TaskRun,
): Promise<TaskResults["save-definitions"]> {
  const { projectId } = run.context;
  await openRepository(run);
  const { recipients } = await run.keys.recipients(projectId, { create: false });
  const found = await readFiles(run);
  const secret = randomBytes(32);
  const nowMs = run.clock.nowMs();
  const unsigned: Omit<SavedDefinitions, "signature"> = {
    format: "lc2-definitions",
    formatVersion,
    projectId,
    savedAt: new Date(nowMs).toISOString(),
    writtenBy: `lc2 ${softwareVersion}`,
    key: await wrapKey(
      run.keys,
      recipients,
      { secret, encryption: "client" },
      { projectId, backupId: owner, name: keyName },
    ),
    definitions: mergeDefinitions(definitions, found.definitions),
  };
  const saved: SavedDefinitions = { ...unsigned, signature: sign(unsigned, secret) };
  const name = `${definitionsPrefix(projectId)}${nowMs}-${run.ids.hex(12)}.json`;
  await run.store.createIfAbsent(name, Buffer.from(`${JSON.stringify(saved, null, 2)}\n`));
  for (const merged of found.names) {
    // One that is locked stays; it says nothing that this one does not.
    await run.store.delete(merged).catch(() => false);
  }
  return {
    saved: unsigned.definitions.length,
    changedElsewhere: changedElsewhere(definitions, found.definitions),
  };
}

/** What the repository has of a project's definitions. Problems with single files are told, and lose no other one. */
export async function readSavedDefinitions(
  run: TaskRun,
  onProblem: (failure: Failure) => void,
): Promise<readonly DefinitionRecord[]> {
  return (await readFiles(run, onProblem)).definitions;
}

interface FoundDefinitions {
  readonly definitions: readonly DefinitionRecord[];
  /** Of the files that these are from. */
  readonly names: readonly string[];
}

async function readFiles(
  run: TaskRun,
  onProblem: (failure: Failure) => void = (failure) =>
    run.report({ type: "log", level: "warn", message: failure.message }),
): Promise<FoundDefinitions> {
  const { projectId } = run.context;
  const names: string[] = [];
  const lists: (readonly DefinitionRecord[])[] = [];
  for await (const { name } of run.store.list(definitionsPrefix(projectId))) {
    run.signal.throwIfAborted();
    try {
      lists.push((await readFile(run, name)).definitions);
      names.push(name);
    } catch (error) {
      const failure = Failure.from(error);
      // What another one has merged and removed meanwhile is in its file.
      if (failure.code !== "backup-incomplete") onProblem(failure);
    }
  }
  return { definitions: mergeDefinitions(...lists), names };
}

async function readFile(run: TaskRun, name: string): Promise<SavedDefinitions> {
  const { projectId } = run.context;
  const saved = parseSavedDefinitions((await readObject(run.store, name)).toString(), name, projectId);
  const context = keyContext(projectId, owner, keyName);
  const secret = await run.keys.unwrap(projectId, saved.key.wrapped, context);
  const { signature, ...signed } = saved;
  const expected = Buffer.from(sign(signed, secret).value, "hex");
  const given = Buffer.from(signature?.value ?? "", "hex");
  const isOurs = keyCheck(secret) === saved.key.check;
  if (isOurs && given.length === expected.length && timingSafeEqual(given, expected)) return saved;
  throw new Failure(
    "metadata-damaged",
    `${name} was changed after it was written: its signature does not fit. What it says is left out.`,
  );
}

/** HMAC-SHA256 with HKDF-SHA256(secret, info "lc2-definitions/1"), as metadata.json is signed. */
function sign(saved: Omit<SavedDefinitions, "signature">, secret: Uint8Array): Signature {
  const key = Buffer.from(hkdfSync("sha256", secret, new Uint8Array(), "lc2-definitions/1", 32));
  return {
    algorithm: "HMAC-SHA256",
    value: createHmac("sha256", key).update(canonicalJson(saved)).digest("hex"),
  };
}
