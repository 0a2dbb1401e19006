import type { Kysely, Selectable } from "kysely";
import type { AccessRecords, ApiKeyRecord, RequestKeyRecord } from "../core/ports/access-records.ts";
import { columnsOf, numberOf, parse, present } from "./columns.ts";
import type { ApiKeysTable, CatalogTables, RequestKeysTable } from "./schema.ts";

export function createAccessQueries(database: Kysely<CatalogTables>): AccessRecords {
  return {
    addApiKey: async (key) => {
      const added = await database
        .insertInto("api_keys")
        .values({
          id: key.id,
          name: key.name,
          role: key.role,
          projects: key.projects === undefined ? null : JSON.stringify(key.projects),
          secret_hash: key.secretHash,
          created_at_ms: key.createdAtMs,
          expires_at_ms: key.expiresAtMs ?? null,
          revoked_at_ms: key.revokedAtMs ?? null,
        })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      return added.numInsertedOrUpdatedRows === 1n;
    },

    findApiKey: async (secretHash) => {
      const row = await database
        .selectFrom("api_keys")
        .selectAll()
        .where("secret_hash", "=", secretHash)
        .executeTakeFirst();
      return row === undefined ? undefined : toApiKey(row);
    },

    listApiKeys: async () => {
      const rows = await database
        .selectFrom("api_keys")
        .selectAll()
        .orderBy("created_at_ms")
        .orderBy("id")
        .execute();
      return rows.map(toApiKey);
    },

    changeApiKey: async (id, change) => {
      const changed = await database
        .updateTable("api_keys")
        .set(columnsOf({ ...change }))
        .where("id", "=", id)
        .executeTakeFirst();
      return changed.numUpdatedRows > 0n;
    },

    claimRequestKey: async (request) => {
      await database
        .insertInto("request_keys")
        .values({
          key_id: request.keyId,
          idempotency_key: request.idempotencyKey,
          fingerprint: request.fingerprint,
          operation_id: request.operationId,
          created_at_ms: request.createdAtMs,
        })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      const row = await database
        .selectFrom("request_keys")
        .selectAll()
        .where("key_id", "=", request.keyId)
        .where("idempotency_key", "=", request.idempotencyKey)
        .executeTakeFirst();
      // Forgotten in this very moment: as if it had never been.
      return row === undefined ? request : toRequestKey(row);
    },

    forgetRequestKeys: async (beforeMs) => {
      await database.deleteFrom("request_keys").where("created_at_ms", "<", beforeMs).execute();
    },
  };
}

function toApiKey(row: Selectable<ApiKeysTable>): ApiKeyRecord {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    ...present("projects", row.projects, parse<readonly string[]>),
    secretHash: row.secret_hash,
    createdAtMs: numberOf(row.created_at_ms),
    ...present("expiresAtMs", row.expires_at_ms, numberOf),
    ...present("revokedAtMs", row.revoked_at_ms, numberOf),
  };
}

function toRequestKey(row: Selectable<RequestKeysTable>): RequestKeyRecord {
  return {
    keyId: row.key_id,
    idempotencyKey: row.idempotency_key,
    fingerprint: row.fingerprint,
    operationId: row.operation_id,
    createdAtMs: numberOf(row.created_at_ms),
  };
}
