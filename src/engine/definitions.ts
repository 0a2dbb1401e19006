import { isDeepStrictEqual } from "node:util";
import type { DefinitionFacts, RemoveOptions, WriteOptions, Written } from "../contract/definitions.ts";
import { Failure, type FailureCode } from "../core/failure.ts";
import type { DefinitionKey, DefinitionRecord } from "../core/ports/definition-records.ts";
import { toIso } from "./backup-views.ts";
import type { EngineParts } from "./parts.ts";
import { saveChange } from "./save-definitions.ts";

/** `environment "prod" of project retail`: for messages. */
export const nameOf = ({ kind, projectId, name }: DefinitionKey): string =>
  kind === "project"
    ? `project "${name}"`
    : `${kind} "${name}"${projectId === "" ? "" : ` of project ${projectId}`}`;

/**
 * Writes a definition whose spec was found good. Writing what is there already changes nothing, so that the same
 * request may be sent twice.
 */
export async function writeDefinition(
  parts: EngineParts,
  key: DefinitionKey,
  spec: object,
  { condition, dryRun = false }: WriteOptions,
): Promise<Written<DefinitionRecord>> {
  const wanted: unknown = JSON.parse(JSON.stringify(spec));
  for (;;) {
    const found = await parts.catalog.getDefinition(key);
    refuseCondition(key, found, wanted, condition);
    if (found !== undefined && found.changedAtMs > 0 && isDeepStrictEqual(found.spec, wanted))
      return { outcome: "unchanged", view: found };
    const outcome = found === undefined ? "created" : "changed";
    const nowMs = parts.clock.nowMs();
    if (dryRun) {
      const createdAtMs = found?.createdAtMs ?? nowMs;
      const revision = (found?.revision ?? 0) + 1;
      return { outcome, view: { ...key, spec: wanted, revision, createdAtMs, changedAtMs: nowMs } };
    }
    const seen = found === undefined ? "absent" : { revision: found.revision };
    const view = await parts.catalog.putDefinition({ ...key, spec: wanted, nowMs }, seen);
    if (view !== undefined) {
      await saveChange(parts, key.projectId);
      return { outcome, view };
    }
    // Somebody else wrote it between the look and the write: look again.
  }
}

function refuseCondition(
  key: DefinitionKey,
  found: DefinitionRecord | undefined,
  wanted: unknown,
  condition: WriteOptions["condition"],
): void {
  if (condition === "any") return;
  if (condition === "absent") {
    // One that was made by being named says nothing that could be lost.
    if (found === undefined || found.changedAtMs === 0 || isDeepStrictEqual(found.spec, wanted)) return;
    throw new Failure(
      "definition-exists",
      `There is a ${nameOf(key)} already, and it is another one (revision ${found.revision}). Choose another ` +
        "name, or replace it (--replace, or PUT).",
    );
  }
  if (found?.revision === condition.revision) return;
  throw changedMeanwhile(key, found, condition.revision);
}

function changedMeanwhile(
  key: DefinitionKey,
  found: DefinitionRecord | undefined,
  revision: number,
): Failure {
  const now = found === undefined ? "it is not there" : `it has revision ${found.revision} now`;
  return new Failure(
    "definition-changed",
    `The ${nameOf(key)} is not what you have seen (revision ${revision}): ${now}. Read it again, then change it.`,
  );
}

export async function readDefinition(
  parts: EngineParts,
  key: DefinitionKey,
  notFound: FailureCode,
): Promise<DefinitionRecord> {
  const found = await parts.catalog.getDefinition(key);
  if (found !== undefined) return found;
  throw new Failure(
    notFound,
    `There is no ${nameOf({ ...key, name: key.name.slice(0, 80) })}. \`lc2 ${key.kind} list\` shows what there is.`,
  );
}

/** Removes a definition, and returns what it was. */
export async function removeDefinition(
  parts: EngineParts,
  key: DefinitionKey,
  { revision, dryRun = false }: RemoveOptions,
  notFound: FailureCode,
): Promise<DefinitionRecord> {
  const found = await readDefinition(parts, key, notFound);
  if (revision !== undefined && revision !== found.revision) throw changedMeanwhile(key, found, revision);
  if (dryRun) return found;
  const nowMs = parts.clock.nowMs();
  const removed = await parts.catalog.removeDefinition(key, {
    nowMs,
    ...(revision === undefined ? {} : { revision }),
  });
  // Somebody else was faster: they removed it, or they changed what was to be removed.
  if (!removed && revision !== undefined) throw changedMeanwhile(key, undefined, revision);
  if (removed) await saveChange(parts, key.projectId);
  return found;
}

export function factsOf({ revision, createdAtMs, changedAtMs }: DefinitionRecord): DefinitionFacts {
  return {
    revision,
    createdAt: toIso(createdAtMs),
    ...(changedAtMs === 0 ? {} : { changedAt: toIso(changedAtMs) }),
  };
}
