import type { Catalog } from "../core/ports/catalog.ts";
import type { CatalogPlace } from "./config.ts";

/**
 * Loads the code of one of the two catalogs, and gives the function that opens it. Neither connects nor makes
 * a file before it is used.
 */
export async function loadCatalog(place: CatalogPlace): Promise<() => Catalog> {
  if (place.kind === "sqlite") {
    const { openSqliteCatalog } = await import("../catalog/open-sqlite-catalog.ts");
    return () => openSqliteCatalog(place.file);
  }
  const { openPostgresCatalog } = await import("../catalog/open-postgres-catalog.ts");
  return () => openPostgresCatalog(place.url, place);
}
