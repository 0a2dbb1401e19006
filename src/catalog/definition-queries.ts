import { sql, type Kysely, type Selectable } from "kysely";
import type {
  DefinitionKey,
  DefinitionKind,
  DefinitionRecord,
  DefinitionRecords,
} from "../core/ports/definition-records.ts";
import { numberOf, present } from "./columns.ts";
import type { CatalogTables, DefinitionsTable } from "./schema.ts";

const keyColumns = ["kind", "project_id", "name"] as const;

export function createDefinitionQueries(database: Kysely<CatalogTables>): DefinitionRecords {
  return {
    ...createDefinitionWrites(database),
    ...createDefinitionReads(database),
    ...createSavingQueries(database),
  };
}

function createDefinitionWrites(
  database: Kysely<CatalogTables>,
): Pick<DefinitionRecords, "putDefinition" | "removeDefinition"> {
  return {
    putDefinition: async ({ spec, nowMs, byDefault = false, ...key }, condition) => {
      const firstMs = byDefault ? 0 : nowMs;
      const changedAtMs = byDefault ? sql<number>`0` : laterThanBefore(nowMs);
      const written = { spec: JSON.stringify(spec), changed_at_ms: changedAtMs, deleted_at_ms: null };
      const next = sql<number>`definitions.revision + 1`;
      if (typeof condition === "object") {
        const changed = await database
          .updateTable("definitions")
          .set({ ...written, revision: next })
          .where(isKey(key))
          .where("deleted_at_ms", "is", null)
          .where("revision", "=", condition.revision)
          .returningAll()
          .executeTakeFirst();
        return changed === undefined ? undefined : toDefinition(changed);
      }
      const row = await database
        .insertInto("definitions")
        .values({
          ...columnsOfKey(key),
          ...written,
          changed_at_ms: firstMs,
          revision: 1,
          created_at_ms: nowMs,
        })
        .onConflict((conflict) => {
          const update = conflict.columns(keyColumns).doUpdateSet((eb) => ({
            ...written,
            revision: next,
            // What was removed begins anew.
            created_at_ms: eb
              .case()
              .when("definitions.deleted_at_ms", "is", null)
              .then(eb.ref("definitions.created_at_ms"))
              .else(nowMs)
              .end(),
          }));
          return condition === "absent" ? update.where("definitions.deleted_at_ms", "is not", null) : update;
        })
        .returningAll()
        .executeTakeFirst();
      return row === undefined ? undefined : toDefinition(row);
    },

    removeDefinition: async (key, { nowMs, revision }) => {
      let removal = database
        .updateTable("definitions")
        .set({
          revision: sql<number>`revision + 1`,
          changed_at_ms: laterThanBefore(nowMs),
          deleted_at_ms: nowMs,
        })
        .where(isKey(key))
        .where("deleted_at_ms", "is", null);
      if (revision !== undefined) removal = removal.where("revision", "=", revision);
      return (await removal.executeTakeFirst()).numUpdatedRows > 0n;
    },
  };
}

function createDefinitionReads(
  database: Kysely<CatalogTables>,
): Pick<DefinitionRecords, "getDefinition" | "listDefinitions" | "listProjectDefinitions"> {
  return {
    getDefinition: async (key) => {
      const row = await database
        .selectFrom("definitions")
        .selectAll()
        .where(isKey(key))
        .where("deleted_at_ms", "is", null)
        .executeTakeFirst();
      return row === undefined ? undefined : toDefinition(row);
    },

    listDefinitions: async ({ kind, projectId, limit, offset = 0 }) => {
      let matching = database
        .selectFrom("definitions")
        .where("kind", "=", kind)
        .where("deleted_at_ms", "is", null);
      if (projectId !== undefined) matching = matching.where("project_id", "=", projectId);
      const counted = await matching.select((eb) => eb.fn.countAll().as("total")).executeTakeFirstOrThrow();
      let page = matching.selectAll().orderBy("project_id").orderBy("name");
      if (limit !== undefined) page = page.limit(limit).offset(offset);
      return { definitions: (await page.execute()).map(toDefinition), total: Number(counted.total) };
    },

    listProjectDefinitions: async (projectId) => {
      const rows = await database
        .selectFrom("definitions")
        .selectAll()
        .where("project_id", "=", projectId)
        .orderBy("kind")
        .orderBy("name")
        .execute();
      return rows.map(toDefinition);
    },
  };
}

function createSavingQueries(
  database: Kysely<CatalogTables>,
): Pick<
  DefinitionRecords,
  "listUnsavedProjects" | "markDefinitionsSaved" | "markDefinitionsUnsaved" | "adoptDefinition"
> {
  return {
    listUnsavedProjects: async () => {
      const rows = await database
        .selectFrom("definitions")
        .select("project_id")
        .distinct()
        .where("project_id", "<>", "")
        .where("changed_at_ms", ">", 0)
        .where((eb) =>
          eb.or([eb("saved_revision", "is", null), eb("saved_revision", "<", eb.ref("revision"))]),
        )
        .orderBy("project_id")
        .execute();
      return rows.map(({ project_id }) => project_id);
    },

    markDefinitionsSaved: async (saved) => {
      for (const { revision, ...key } of saved) {
        await database
          .updateTable("definitions")
          .set({ saved_revision: revision })
          .where(isKey(key))
          .where((eb) => eb.or([eb("saved_revision", "is", null), eb("saved_revision", "<", revision)]))
          .execute();
      }
    },

    markDefinitionsUnsaved: async (projectId) => {
      await database
        .updateTable("definitions")
        .set({ saved_revision: null })
        .where("project_id", "=", projectId)
        .execute();
    },

    adoptDefinition: async (definition) => {
      const revision = sql<number>`case when definitions.revision < ${definition.revision} then ${definition.revision} else definitions.revision + 1 end`;
      const columns = {
        spec: JSON.stringify(definition.spec),
        revision: definition.revision,
        created_at_ms: definition.createdAtMs,
        changed_at_ms: definition.changedAtMs,
        deleted_at_ms: definition.deletedAtMs ?? null,
        saved_revision: definition.revision,
      };
      const adopted = await database
        .insertInto("definitions")
        .values({ ...columnsOfKey(definition), ...columns })
        .onConflict((conflict) =>
          conflict
            .columns(keyColumns)
            .doUpdateSet({ ...columns, revision, saved_revision: revision })
            .where((eb) =>
              eb.or([
                eb("definitions.changed_at_ms", "<", definition.changedAtMs),
                eb.and([
                  eb("definitions.changed_at_ms", "=", definition.changedAtMs),
                  eb("definitions.revision", "<", definition.revision),
                ]),
              ]),
            ),
        )
        .executeTakeFirst();
      return (adopted.numInsertedOrUpdatedRows ?? 0n) > 0n;
    },
  };
}

/** A clock that is behind must not make a change look earlier than the one that it comes after. */
const laterThanBefore = (nowMs: number) =>
  sql<number>`case when definitions.changed_at_ms < ${nowMs} then ${nowMs} else definitions.changed_at_ms + 1 end`;

const columnsOfKey = ({ kind, projectId, name }: DefinitionKey) => ({ kind, project_id: projectId, name });

const isKey = ({ kind, projectId, name }: DefinitionKey) =>
  sql<boolean>`kind = ${kind} and project_id = ${projectId} and name = ${name}`;

function toDefinition(row: Selectable<DefinitionsTable>): DefinitionRecord {
  return {
    kind: row.kind as DefinitionKind,
    projectId: row.project_id,
    name: row.name,
    spec: JSON.parse(row.spec) as unknown,
    revision: numberOf(row.revision),
    createdAtMs: numberOf(row.created_at_ms),
    changedAtMs: numberOf(row.changed_at_ms),
    ...present("deletedAtMs", row.deleted_at_ms, numberOf),
  };
}
