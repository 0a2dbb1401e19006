import type { Lc2Service } from "../contract/service.ts";
import type { EngineParts } from "./parts.ts";
import { markBackupAt, openBackup, runTaskFor } from "./service-call.ts";

/** The verbs that look into a backup. */
export function createBackupContents(
  bareParts: EngineParts,
): Pick<Lc2Service, "browseBackup" | "downloadBackup" | "verifyBackup"> {
  return {
    browseBackup: async (reference, pattern, onItem, waiting) => {
      const { parts, place, context } = await openBackup(bareParts, reference, waiting);
      const wish = pattern === undefined ? {} : { pattern };
      const task = { kind: "browse-backup", context, backupId: place.backupId, ...wish } as const;
      return await runTaskFor(parts, task, waiting, { onItem });
    },

    downloadBackup: async (reference, path, output, waiting) => {
      const { parts, place, context } = await openBackup(bareParts, reference, waiting);
      const task = { kind: "download", context, backupId: place.backupId, path } as const;
      return await runTaskFor(parts, task, waiting, { output });
    },

    verifyBackup: async (reference, options, waiting) => {
      const { parts, place, context } = await openBackup(bareParts, reference, waiting);
      const scratch = options.restoreInto === undefined ? {} : { scratchDatabase: options.restoreInto };
      const task = { kind: "verify-backup", context, backupId: place.backupId, ...scratch } as const;
      const result = await runTaskFor(parts, task, waiting);
      const isWhole = result.damages.length === 0 && (result.restored?.differences.length ?? 0) === 0;
      if (isWhole) await markBackupAt(parts, place, { verifiedAtMs: parts.clock.nowMs() });
      return result;
    },
  };
}
