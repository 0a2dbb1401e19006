import type { Keyfile, ProjectKey } from "./keyfile-text.ts";

/**
 * The keys of both. A key's id is derived from its value (the parser checks it), so the same id is the same
 * key. The existing current key stays current, unless `imported` knows it as a former one: then
 * `imported` comes from a later rotation, and its current key is the newer one.
 */
export function mergeKeyfiles(
  existing: Keyfile | undefined,
  imported: Keyfile,
): { keyfile: Keyfile; added: string[]; known: string[] } {
  if (existing === undefined) return { keyfile: imported, added: idsOf(imported), known: [] };
  const added = idsOf(imported).filter((id) => !idsOf(existing).includes(id));
  const known = idsOf(imported).filter((id) => !added.includes(id));
  const current = chooseCurrent(existing, imported);
  const newKeys = imported.keys.filter(({ id }) => added.includes(id));
  const keys = [...existing.keys, ...newKeys]
    .map((key): ProjectKey => ({ ...key, state: key.id === current ? "current" : "former" }))
    .sort((a, b) => Date.parse(a.createdAt) - Date.parse(b.createdAt));
  const recoveryPublicKey = existing.recoveryPublicKey ?? imported.recoveryPublicKey;
  const recoveryPrivateKeys = [
    ...existing.recoveryPrivateKeys,
    ...imported.recoveryPrivateKeys.filter(({ id }) => added.includes(`recovery ${id}`)),
  ];
  const recovery = recoveryPublicKey === undefined ? {} : { recoveryPublicKey };
  return { keyfile: { projectId: existing.projectId, keys, ...recovery, recoveryPrivateKeys }, added, known };
}

/** Ids of what can open something; private recovery keys apart from public ones of the same id. */
function idsOf(keyfile: Keyfile): string[] {
  return [
    ...keyfile.keys.map(({ id }) => id),
    ...keyfile.recoveryPrivateKeys.map(({ id }) => `recovery ${id}`),
  ];
}

function chooseCurrent(existing: Keyfile, imported: Keyfile): string | undefined {
  const ours = existing.keys.find(({ state }) => state === "current")?.id;
  const theirs = imported.keys.find(({ state }) => state === "current")?.id;
  if (ours === undefined || theirs === undefined) return ours ?? theirs;
  const theirsIsLater =
    imported.keys.some(({ id, state }) => id === ours && state === "former") &&
    !existing.keys.some(({ id }) => id === theirs);
  return theirsIsLater ? theirs : ours;
}
