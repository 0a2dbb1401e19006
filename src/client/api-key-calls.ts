import type { ApiKeys, ApiKeyView } from "../contract/access.ts";
import type { HttpConnection } from "./http-connection.ts";
import { read } from "./pages.ts";

export function createApiKeyCalls(http: HttpConnection): ApiKeys {
  const one = (keyId: string, verb: string): string => `api-keys/${encodeURIComponent(keyId)}/${verb}`;
  return {
    createApiKey: async (wish) => await http.call({ method: "POST", path: "api-keys", body: wish }),
    listApiKeys: async () =>
      (await http.call<{ keys: readonly ApiKeyView[] }>({ ...read, path: "api-keys" })).keys,
    rotateApiKey: async (keyId, options) =>
      await http.call({ method: "POST", path: one(keyId, "rotate"), body: options }),
    revokeApiKey: async (keyId) =>
      await http.call({ method: "POST", path: one(keyId, "revoke"), repeatable: true }),
  };
}
