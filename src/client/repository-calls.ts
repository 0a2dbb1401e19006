import type { Keys } from "../contract/keys.ts";
import type { Repositories } from "../contract/repositories.ts";
import { refuse } from "./call-parts.ts";
import type { HttpConnection } from "./http-connection.ts";

export function createRepositoryCalls(http: HttpConnection): Repositories {
  const path = (verb: string): string => `repository/${verb}`;
  return {
    checkRepository: async (repository, options, waiting) =>
      await http.callWaiting(
        { method: "POST", path: path("check"), body: { repository, ...options }, repeatable: true },
        waiting,
      ),
    scanRepository: async (repository, options, waiting) =>
      await http.callWaiting(
        { method: "POST", path: path("scan"), body: { repository, ...options }, repeatable: true },
        waiting,
      ),
    sweepRepository: async (repository, options, waiting) =>
      await http.callWaiting(
        { method: "POST", path: path("sweep"), body: { repository, ...options } },
        waiting,
      ),
    probeRepository: async (repository, waiting) =>
      await http.callWaiting(
        { method: "POST", path: path("probe"), body: { repository }, repeatable: true },
        waiting,
      ),
    setCopyTarget: async (repository, options, waiting) =>
      await http.callWaiting(
        { method: "PUT", path: path("copy-target"), body: { repository, ...options }, repeatable: true },
        waiting,
      ),
  };
}

const keysStay =
  "whoever has a project's key can read all its backups, so it never crosses a network by an API key's word.";

export function createKeyCalls(http: HttpConnection): Keys {
  return {
    rotateKey: async (projectId, options, waiting) =>
      await http.callWaiting(
        { method: "POST", path: `projects/${projectId}/keys/rotate`, body: options },
        waiting,
      ),
    exportKey: refuse("Exporting a project's key", keysStay),
    importKey: refuse("Importing a project's key", keysStay),
    createRecoveryKey: refuse("Making a recovery key", keysStay),
  };
}
