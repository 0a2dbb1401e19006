import type { ImportKeyResult, Keys } from "../contract/keys.ts";
import { validateProjectId } from "../core/backup/validate-backup.ts";
import { refuseProblems } from "../core/problem.ts";
import { makeContext, type EngineParts } from "./parts.ts";
import { repositoryAt } from "./repository-url.ts";
import { saveUnsaved } from "./save-definitions.ts";
import { runTaskFor } from "./service-call.ts";

/** The keys of this installation, for the verbs that are about keys themselves. */
export interface KeyAdministration {
  /** Makes a new current key. */
  rotate(projectId: string): Promise<{ keyId: string }>;
  exportKeyfile(projectId: string): Promise<string>;
  importKeyfile(text: string, options: { readonly dryRun: boolean }): Promise<ImportKeyResult>;
  createRecoveryKey(projectId: string): Promise<{ keyId: string; privateText: string }>;
}

/** The verbs of projects' keys. */
export function createKeyService(parts: EngineParts, openKeys: () => Promise<KeyAdministration>): Keys {
  return {
    rotateKey: async (projectId, { repository, dryRun }, waiting) => {
      refuseProblems(validateProjectId(projectId));
      const context = makeContext(parts, { repository: repositoryAt(parts, repository), projectId });
      if (!dryRun) await (await openKeys()).rotate(projectId);
      const seen = await runTaskFor(parts, { kind: "rotate-keys", context, dryRun }, waiting);
      if (!dryRun) {
        // What is defined is saved under the new key too.
        await parts.catalog.markDefinitionsUnsaved(projectId);
        await saveUnsaved(parts, projectId);
        return seen;
      }
      // With a new key none of them would be current.
      return { ...seen, rewrapped: seen.rewrapped + seen.alreadyCurrent, alreadyCurrent: 0 };
    },

    exportKey: async (projectId) => {
      refuseProblems(validateProjectId(projectId));
      return await (await openKeys()).exportKeyfile(projectId);
    },

    importKey: async (text, options) => await (await openKeys()).importKeyfile(text, options),

    createRecoveryKey: async (projectId) => {
      refuseProblems(validateProjectId(projectId));
      return await (await openKeys()).createRecoveryKey(projectId);
    },
  };
}
