import type { Kysely, RawBuilder } from "kysely";
import { nobody, type OperationKind } from "../core/operation/operation.ts";
import type { PlaceHold, PlaceRecords } from "../core/ports/place-records.ts";
import { parse } from "./columns.ts";
import type { CatalogTables } from "./schema.ts";

/** What nobody has stood before for so long is forgotten: a catalog does not grow with every place there ever was. */
const rememberedMs = 400 * 24 * 3_600_000;

export function createPlaceQueries(
  database: Kysely<CatalogTables>,
  lockQueue: RawBuilder<unknown> | undefined,
): PlaceRecords {
  return {
    holdPlaces: async (id, owner, { names, beside }) =>
      await database.transaction().execute(async (transaction) => {
        // Nothing begins, and nobody else looks, between the look and the note.
        await lockQueue?.execute(transaction);
        const busy = await findHolder(transaction, id, { names, beside });
        if (busy !== undefined) return busy;
        const changed = await transaction
          .updateTable("operations")
          .set({ held_places: JSON.stringify(names) })
          .where("id", "=", id)
          .where("lease_owner", "=", owner)
          .where("finished_at_ms", "is", null)
          .executeTakeFirst();
        return { type: changed.numUpdatedRows > 0n ? "held" : "lost" };
      }),

    rememberPlaces: async (found, nowMs) => {
      for (const { place, names } of found) {
        const facts = { names: JSON.stringify(names), seen_at_ms: nowMs };
        await database
          .insertInto("known_places")
          .values({ place, ...facts })
          .onConflict((conflict) => conflict.column("place").doUpdateSet(facts))
          .execute();
      }
      await database
        .deleteFrom("known_places")
        .where("seen_at_ms", "<", nowMs - rememberedMs)
        .execute();
    },

    listKnownPlaces: async () => await listKnownPlaces(database),
  };
}

export async function listKnownPlaces(
  database: Kysely<CatalogTables>,
): ReturnType<PlaceRecords["listKnownPlaces"]> {
  const rows = await database.selectFrom("known_places").select(["place", "names"]).execute();
  return rows.map(({ place, names }) => ({ place, names: parse<string[]>(names) }));
}

async function findHolder(
  database: Kysely<CatalogTables>,
  id: string,
  { names, beside }: Parameters<PlaceRecords["holdPlaces"]>[2],
): Promise<PlaceHold | undefined> {
  const others = await database
    .selectFrom("operations")
    .select(["kind", "held_places"])
    .where("finished_at_ms", "is", null)
    .where("lease_owner", "!=", nobody)
    .where("held_places", "is not", null)
    .where("id", "!=", id)
    .execute();
  for (const other of others) {
    if (beside.includes(other.kind as OperationKind)) continue;
    const held = new Set(parse<string[]>(other.held_places ?? "[]"));
    const name = names.find((each) => held.has(each));
    if (name !== undefined) return { type: "busy", name };
  }
  return undefined;
}
