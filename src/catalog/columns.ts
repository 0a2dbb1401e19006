/** Columns to values and back; what is null in a row is absent in a record. */

export const numberOf = (value: number | string): number => Number(value);

/** `{ [name]: convert(value) }`, or nothing when the column is null. */
export function present<Name extends string, Column, Value>(
  name: Name,
  value: Column | null,
  convert: (value: Column) => Value,
): { [key in Name]?: Value } {
  return value === null ? {} : ({ [name]: convert(value) } as { [key in Name]: Value });
}

export const same = <T>(value: T): T => value;
export const parse = <T>(text: string): T => JSON.parse(text) as T;

/** Columns of a partial update: members that are not there are not changed. */
export function columnsOf(change: Readonly<Record<string, unknown>>): Record<string, string | number | null> {
  const columns: Record<string, string | number | null> = {};
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined) continue;
    const column = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    columns[column] = typeof value === "string" || typeof value === "number" ? value : JSON.stringify(value);
  }
  return columns;
}
