/** What to say about each pattern of tables whose rows are left out. Pure. */
export function patternNotes(
  hits: readonly { readonly pattern: string; readonly tables: number }[],
): string[] {
  return hits.map(({ pattern, tables }) =>
    tables === 0
      ? `The pattern "${pattern}" of --exclude-table fits no table. Names are compared with upper and lower case.`
      : `The rows of ${tables} ${tables === 1 ? "table" : "tables"} are left out by the pattern "${pattern}".`,
  );
}
