import { createHash, randomBytes } from "node:crypto";
import type { ApiKeys, ApiKeyView, ApiKeyWish, Caller, Role } from "../contract/access.ts";
import { Failure } from "../core/failure.ts";
import type { ApiKeyRecord } from "../core/ports/access-records.ts";
import { validateApiKey, validateOverlap } from "../core/access/validate-api-key.ts";
import { refuseProblems } from "../core/problem.ts";
import { toIso } from "./backup-views.ts";
import type { EngineParts } from "./parts.ts";

/** What every secret begins with, so that scanners of source code know one when they see it. */
const secretPrefix = "lc2_";
const secretPattern = /^lc2_[A-Za-z0-9_-]{43}$/;

/** The verbs of API keys. */
export function createApiKeyService(parts: EngineParts): ApiKeys {
  return {
    createApiKey: async (wish) => {
      refuseProblems(validateApiKey(wish));
      const { record, secret } = makeApiKey(parts, wish);
      if (await parts.catalog.addApiKey(record)) return { ...viewApiKey(parts, record), secret };
      throw new Failure("internal", "Two API keys got one id. Run the command again.");
    },

    listApiKeys: async () => (await parts.catalog.listApiKeys()).map((key) => viewApiKey(parts, key)),

    rotateApiKey: async (keyId, { overlapSeconds }) => {
      refuseProblems(validateOverlap(overlapSeconds));
      const old = await findById(parts, keyId);
      if (viewApiKey(parts, old).status !== "active") {
        throw new Failure("already-finished", `The API key ${keyId} is no longer valid. Make a new one.`);
      }
      const nowMs = parts.clock.nowMs();
      const made = makeApiKey(parts, { ...old, role: old.role as Role });
      // As long as the old one was meant to be valid, if it was not meant for ever.
      const lifeMs = old.expiresAtMs === undefined ? undefined : old.expiresAtMs - old.createdAtMs;
      const record = lifeMs === undefined ? made.record : { ...made.record, expiresAtMs: nowMs + lifeMs };
      if (!(await parts.catalog.addApiKey(record))) {
        throw new Failure("internal", "Two API keys got one id. Run the command again.");
      }
      const endsAtMs = nowMs + overlapSeconds * 1000;
      await parts.catalog.changeApiKey(keyId, {
        expiresAtMs: Math.min(endsAtMs, old.expiresAtMs ?? Number.POSITIVE_INFINITY),
      });
      return { ...viewApiKey(parts, record), secret: made.secret };
    },

    revokeApiKey: async (keyId) => {
      const key = await findById(parts, keyId);
      const revokedAtMs = key.revokedAtMs ?? parts.clock.nowMs();
      await parts.catalog.changeApiKey(keyId, { revokedAtMs });
      return viewApiKey(parts, { ...key, revokedAtMs });
    },
  };
}

/** Whose secret this is, if it is valid now. Asks the catalog each time: a revoked key is of no use at once. */
export async function findCaller(parts: EngineParts, secret: string): Promise<Caller | undefined> {
  if (!secretPattern.test(secret)) return undefined;
  const record = await parts.catalog.findApiKey(hashSecret(secret));
  if (record === undefined || viewApiKey(parts, record).status !== "active") return undefined;
  const { id, name, role, projects } = record;
  return { keyId: id, name, role: role as Role, ...(projects === undefined ? {} : { projects }) };
}

const firstKeyId = "key-first-admin";

/**
 * Makes the installation's first key, for its admin, where no key was ever made. `keep` puts its secret where the
 * admin finds it, before the key is valid: a secret that nobody has would lock everybody out. False: there are keys.
 */
export async function ensureFirstApiKey(
  parts: EngineParts,
  keep: (secret: string) => Promise<void>,
): Promise<boolean> {
  if ((await parts.catalog.listApiKeys()).length > 0) return false;
  const { record, secret } = makeApiKey(parts, { name: "first admin", role: "admin" });
  await keep(secret);
  if (await parts.catalog.addApiKey({ ...record, id: firstKeyId })) return true;
  throw new Failure(
    "already-finished",
    "Another server made the first API key of this catalog at the same moment; it is in that server's data " +
      "directory. Start this one again.",
  );
}

function makeApiKey(parts: EngineParts, wish: ApiKeyWish): { record: ApiKeyRecord; secret: string } {
  const nowMs = parts.clock.nowMs();
  const secret = `${secretPrefix}${randomBytes(32).toString("base64url")}`;
  const record: ApiKeyRecord = {
    id: `key-${parts.ids.hex(12)}`,
    name: wish.name,
    role: wish.role,
    ...(wish.projects === undefined ? {} : { projects: wish.projects }),
    secretHash: hashSecret(secret),
    createdAtMs: nowMs,
    ...(wish.expiresInSeconds === undefined ? {} : { expiresAtMs: nowMs + wish.expiresInSeconds * 1000 }),
  };
  return { record, secret };
}

/** Of 32 random bytes: nothing to guess, so nothing slow is needed. */
const hashSecret = (secret: string): string => createHash("sha256").update(secret).digest("hex");

async function findById(parts: EngineParts, keyId: string): Promise<ApiKeyRecord> {
  const found = (await parts.catalog.listApiKeys()).find(({ id }) => id === keyId);
  if (found !== undefined) return found;
  throw new Failure(
    "api-key-not-found",
    `There is no API key "${keyId}". \`lc2 api-key list\` shows what there is.`,
  );
}

function viewApiKey(parts: EngineParts, key: ApiKeyRecord): ApiKeyView {
  const nowMs = parts.clock.nowMs();
  const isExpired = key.expiresAtMs !== undefined && key.expiresAtMs <= nowMs;
  return {
    keyId: key.id,
    name: key.name,
    role: key.role as Role,
    ...(key.projects === undefined ? {} : { projects: key.projects }),
    status: key.revokedAtMs !== undefined ? "revoked" : isExpired ? "expired" : "active",
    createdAt: toIso(key.createdAtMs),
    ...(key.expiresAtMs === undefined ? {} : { expiresAt: toIso(key.expiresAtMs) }),
    ...(key.revokedAtMs === undefined ? {} : { revokedAt: toIso(key.revokedAtMs) }),
  };
}
