import type { Lc2Service } from "../contract/service.ts";
import type { EngineParts } from "./parts.ts";
import { runTaskAlone } from "./run-worker.ts";
import { forward, markBackupAt, openBackup } from "./service-call.ts";

/** The verbs that look into a backup. */
export function createBackupContents(
  bareParts: EngineParts,
): Pick<Lc2Service, "browseBackup" | "downloadBackup" | "verifyBackup"> {
  return {
    browseBackup: async (reference, pattern, onItem, waiting) => {
      const { parts, place, context } = await openBackup(bareParts, reference, waiting);
      const { backupId } = place;
      const task = {
        kind: "browse-backup",
        context,
        backupId,
        ...(pattern === undefined ? {} : { pattern }),
      } as const;
      return await runTaskAlone(parts, "browse-backup", task, {
        signal: waiting.signal,
        ...forward(waiting, onItem),
      });
    },

    downloadBackup: async (reference, path, outputFd, waiting) => {
      const { parts, place, context } = await openBackup(bareParts, reference, waiting);
      const task = { kind: "download", context, backupId: place.backupId, path } as const;
      return await runTaskAlone(parts, "download", task, {
        signal: waiting.signal,
        outputFd,
        ...forward(waiting),
      });
    },

    verifyBackup: async (reference, options, waiting) => {
      const { parts, place, context } = await openBackup(bareParts, reference, waiting);
      const { backupId } = place;
      const scratch = options.restoreInto === undefined ? {} : { scratchDatabase: options.restoreInto };
      const task = { kind: "verify-backup", context, backupId, ...scratch } as const;
      const result = await runTaskAlone(parts, "verify-backup", task, {
        signal: waiting.signal,
        ...forward(waiting),
      });
      const isWhole = result.damages.length === 0 && (result.restored?.differences.length ?? 0) === 0;
      if (isWhole) await markBackupAt(parts, place, { verifiedAtMs: parts.clock.nowMs() });
      return result;
    },
  };
}
