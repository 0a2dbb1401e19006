/**
 * Names a restore gives, derived from its id: running it again finds what an earlier try made. PostgreSQL
 * cuts longer names in silence, so they are cut here, by rule, to 63 bytes of UTF-8.
 */
export const longestNameBytes = 63;

/** `20251110_020000_3f9c2a` of `restore-20251110-020000-3f9c2a`. */
function restoreSuffix(restoreId: string): string {
  return restoreId.replace(/^[a-z]+-/, "").replaceAll(/[^A-Za-z0-9]/g, "_");
}

/** Where the rows are loaded before anything else is touched. */
export const loadingName = (target: string, restoreId: string): string =>
  nameWithEnd(target, `_loading_${restoreSuffix(restoreId)}`);

/** What the target is called once it is swapped out. */
export const retiredName = (target: string, restoreId: string): string =>
  nameWithEnd(target, `_before_${restoreSuffix(restoreId)}`);

/** What a restored database is called once the restore is undone. */
export const undoneName = (target: string, restoreId: string): string =>
  nameWithEnd(target, `_undone_${restoreSuffix(restoreId)}`);

/** A new database beside an existing target. */
export const besideName = (target: string, restoreId: string): string =>
  nameWithEnd(target, `_${restoreSuffix(restoreId)}`);

/** Where selected tables land when the target has tables of their names. */
export const sideSchemaName = (restoreId: string): string => `lc2_${restoreSuffix(restoreId)}`;

/** Where replaced tables are kept. */
export const undoSchemaName = (restoreId: string): string => `lc2_undo_${restoreSuffix(restoreId)}`;

/** Where restored tables are kept once the restore is undone. */
export const undoneSchemaName = (restoreId: string): string => `lc2_undone_${restoreSuffix(restoreId)}`;

/** Marks a target that was empty and is being filled, and tables being moved. */
export const markerSchemaName = (restoreId: string): string => `lc2_loading_${restoreSuffix(restoreId)}`;

/** The name under which a file is written before it is put in place. */
export const temporaryFileName = (restoreId: string): string => `.lc2-${restoreId}.tmp`;

/** The end is always kept whole; the start loses whole characters from its end. */
function nameWithEnd(start: string, end: string): string {
  const room = longestNameBytes - utf8Bytes(end);
  let kept = "";
  let used = 0;
  for (const character of start) {
    used += utf8Bytes(character);
    if (used > room) break;
    kept += character;
  }
  return kept + end;
}

export function utf8Bytes(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}
