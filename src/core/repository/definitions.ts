import { Failure } from "../failure.ts";
import type { DefinitionRecord } from "../ports/definition-records.ts";
import type { KeyEntry } from "./keyring.ts";
import { formatVersion } from "./layout.ts";
import { canonicalJson, type Signature } from "./metadata.ts";

/**
 * `projects/{projectId}/definitions/{id}.json`: what people defined of a project, so that a lost catalog loses none of
 * it. It holds no secret, only where secrets are. Several may lie beside each other, written at the same moment or by
 * two installations; of each definition the one that was changed last counts.
 */
export interface SavedDefinitions {
  readonly format: "lc2-definitions";
  readonly formatVersion: number;
  readonly projectId: string;
  readonly savedAt: string;
  readonly writtenBy: string;
  /** What signs this file, wrapped by the project's key: made anew for each. */
  readonly key: KeyEntry;
  readonly definitions: readonly DefinitionRecord[];
  readonly signature: Signature;
}

/**
 * Of each definition the one that was changed last; of two changed at once that with the higher revision, and then the
 * greater one as a text, so that everybody who merges comes to the same. Pure.
 */
export function mergeDefinitions(
  ...lists: readonly (readonly DefinitionRecord[])[]
): readonly DefinitionRecord[] {
  const newest = new Map<string, DefinitionRecord>();
  for (const definition of lists.flat()) {
    const key = keyOf(definition);
    const known = newest.get(key);
    if (known === undefined || isNewer(definition, known)) newest.set(key, definition);
  }
  return [...newest.values()];
}

function isNewer(one: DefinitionRecord, other: DefinitionRecord): boolean {
  if (one.changedAtMs !== other.changedAtMs) return one.changedAtMs > other.changedAtMs;
  if (one.revision !== other.revision) return one.revision > other.revision;
  return canonicalJson(one) > canonicalJson(other);
}

/** What there is of `saved` that was changed later than somebody changed it among `own`. Pure. */
export function changedElsewhere(
  own: readonly DefinitionRecord[],
  saved: readonly DefinitionRecord[],
): readonly DefinitionRecord[] {
  const mine = new Map(own.map((definition) => [keyOf(definition), definition]));
  return saved.filter((definition) => {
    const known = mine.get(keyOf(definition));
    return known !== undefined && known.changedAtMs > 0 && isNewer(definition, known);
  });
}

const keyOf = ({ kind, name }: DefinitionRecord): string => `${kind}/${name}`;

/** Checks form, version and owner; not the signature. */
export function parseSavedDefinitions(text: string, name: string, projectId: string): SavedDefinitions {
  const damaged = (problem: string, cause?: unknown): Failure =>
    new Failure(
      "metadata-damaged",
      `${name} ${problem}. It is left out; a copy of the repository may have it whole.`,
      {
        cause,
      },
    );
  let value: SavedDefinitions;
  try {
    value = JSON.parse(text) as SavedDefinitions;
  } catch (cause) {
    throw damaged("is not JSON", cause);
  }
  if (value?.format !== "lc2-definitions" || !Array.isArray(value.definitions)) {
    throw damaged("does not hold definitions");
  }
  if (value.formatVersion > formatVersion) {
    throw new Failure(
      "format-too-new",
      `${name} has format version ${value.formatVersion}; this lc2 knows up to ${formatVersion}. Use a newer lc2.`,
    );
  }
  const { definitions } = value;
  const isOwn =
    value.projectId === projectId &&
    definitions.every((one: DefinitionRecord) => one.projectId === projectId);
  if (!isOwn) throw damaged(`is not of project ${projectId}`);
  return value;
}
