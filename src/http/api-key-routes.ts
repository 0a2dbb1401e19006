import { Type } from "typebox";
import {
  apiKey,
  apiKeyList,
  apiKeyRequest,
  newApiKey,
  rotateApiKeyRequest,
} from "../contract/rest/api-keys.ts";
import type { App } from "./app.ts";
import { permitForAll } from "./authenticate.ts";
import { answer, problems } from "./describe-routes.ts";
import type { HttpParts } from "./parts.ts";

const tags = ["api keys"];
const base = "/api/v1/api-keys";
const one = `${base}/:keyId`;
const keyPath = Type.Object({ keyId: Type.String() });
const onRequest = permitForAll("administer");

/** The keys that programs call this server with: for admins of all projects, who may do everything anyway. */
export function addApiKeyRoutes(app: App, { service }: HttpParts): void {
  app.get(
    base,
    {
      onRequest,
      schema: {
        tags,
        operationId: "listApiKeys",
        summary: "List API keys, valid or not",
        response: { 200: answer("Oldest first.", apiKeyList), ...problems(403) },
      },
    },
    async () => ({ keys: await service.listApiKeys() }),
  );

  app.post(
    base,
    {
      onRequest,
      schema: {
        tags,
        operationId: "createApiKey",
        summary: "Make an API key",
        body: apiKeyRequest,
        response: {
          201: answer("With its secret, this once.", newApiKey),
          ...problems(400, 403, 413, 415, 422),
        },
      },
    },
    async ({ body: { role = "viewer", ...wish } }, reply) =>
      await reply.code(201).send(await service.createApiKey({ role, ...wish })),
  );

  app.post(
    `${one}/rotate`,
    {
      onRequest,
      schema: {
        tags,
        operationId: "rotateApiKey",
        summary: "Make an API key like an old one, which stays valid for a while",
        params: keyPath,
        body: Type.Optional(rotateApiKeyRequest),
        response: {
          201: answer("With its secret, this once.", newApiKey),
          ...problems(400, 403, 404, 409, 413, 415, 422),
        },
      },
    },
    async ({ params: { keyId }, body }, reply) => {
      const { overlapSeconds = 86_400 } = body ?? {};
      return await reply.code(201).send(await service.rotateApiKey(keyId, { overlapSeconds }));
    },
  );

  app.post(
    `${one}/revoke`,
    {
      onRequest,
      schema: {
        tags,
        operationId: "revokeApiKey",
        summary: "End an API key at once",
        params: keyPath,
        response: { 200: answer("As it is now.", apiKey), ...problems(400, 403, 404, 415) },
      },
    },
    async ({ params: { keyId } }) => await service.revokeApiKey(keyId),
  );
}
