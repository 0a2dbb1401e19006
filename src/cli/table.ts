import { displayWidth, fit, printable, wrapWords } from "./terminal.ts";
import type { Paint } from "./terminal.ts";

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: "left" | "right";
  /** Painted after measuring, so that colours never shift a column. */
  readonly paint?: (text: string, row: Row) => string;
}

/**
 * Columns two spaces apart, a title line, a line for each row; no frames, so that it pastes and greps well.
 * With `columns` the last column is cut to that width.
 */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  paint: Paint,
  width?: number,
): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const widths = columns.map((column, index) =>
    cells.reduce(
      (widest, line) => Math.max(widest, displayWidth(line[index] ?? "")),
      displayWidth(column.title),
    ),
  );
  const last = columns.length - 1;
  const before = widths.slice(0, last).reduce((sum, each) => sum + each + 2, 0);
  const room = width === undefined ? Number.POSITIVE_INFINITY : Math.max(8, width - before);
  const line = (values: readonly string[], colour: (text: string, index: number) => string): string =>
    values
      .map((value, index) => {
        const shown = index === last ? fit(value, room) : value;
        const pad = " ".repeat(Math.max(0, (widths[index] ?? 0) - displayWidth(shown)));
        const painted = colour(shown, index);
        if (columns[index]?.align === "right") return pad + painted;
        return index === last ? painted : painted + pad;
      })
      .join("  ")
      .trimEnd();
  const title = line(
    columns.map((column) => column.title),
    (text) => paint.bold(text),
  );
  const body = cells.map((values, row) =>
    line(values, (text, index) => {
      const colour = columns[index]?.paint;
      const source = rows[row];
      return colour === undefined || source === undefined ? text : colour(text, source);
    }),
  );
  return [title, ...body].map((each) => `${each}\n`).join("");
}

/** How a page is shown. */
export interface Page {
  readonly paint: Paint;
  /** Columns of the terminal, at which long lines are broken between words; undefined: they are left long. */
  readonly width: number | undefined;
}

/** Name and value, names padded to one width; an undefined value leaves its line out. */
export function renderFields(
  fields: readonly (readonly [name: string, value: string | undefined])[],
  page: Page,
): string {
  const shown = fields.filter((field): field is readonly [string, string] => field[1] !== undefined);
  const width = Math.max(0, ...shown.map(([name]) => displayWidth(name)));
  return shown
    .map(([name, value]) => {
      const pad = " ".repeat(width - displayWidth(name) + 2);
      return renderItem(`  ${page.paint.dim(name)}${pad}`, value, page);
    })
    .join("");
}

/** One item: its mark or name, then its text, further lines below the text's beginning. */
export function renderItem(mark: string, text: string, page: Page): string {
  const indent = displayWidth(mark);
  const room = page.width === undefined ? Number.POSITIVE_INFINITY : Math.max(30, page.width - indent);
  const lines = text.split("\n").flatMap((line) => wrapWords(line, room));
  return lines.map((line, index) => `${index === 0 ? mark : " ".repeat(indent)}${line}\n`).join("");
}
