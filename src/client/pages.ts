import type { HttpConnection } from "./http-connection.ts";

/** In place of a project: whichever the thing belongs to. */
export const anyProject = "-";
const mostOfAPage = 1000;

export const read = { method: "GET", repeatable: true } as const;

/** The first `wanted` of a list, page by page. */
export async function readPages<Item>(
  http: HttpConnection,
  path: string,
  filters: Readonly<Record<string, string | number | undefined>>,
  member: string,
  wanted: number,
): Promise<{ readonly items: readonly Item[]; readonly total: number }> {
  type Page = { readonly total: number; readonly nextCursor?: string } & Readonly<Record<string, Item[]>>;
  const items: Item[] = [];
  let cursor: string | undefined;
  for (;;) {
    const limit = Math.min(mostOfAPage, wanted - items.length);
    const page: Page = await http.call({ ...read, path, query: { ...filters, limit, cursor } });
    items.push(...(page[member] ?? []));
    cursor = page.nextCursor;
    if (cursor === undefined || items.length >= wanted) return { items, total: page.total };
  }
}
