import type { DeleteBackupResult } from "../../contract/worker-task.ts";
import type { CommandContext } from "../context.ts";
import { counted, size } from "../humanise.ts";
import { renderFields } from "../table.ts";

/** What `backup delete` did or, dry, would do. */
export function showDeletion(
  backupId: string,
  result: DeleteBackupResult,
  dryRun: boolean,
  context: CommandContext,
): string {
  const { paint } = context;
  const heading = dryRun ? `${backupId} would be deleted; nothing was changed` : `${backupId} is deleted`;
  const keys = dryRun ? "would be destroyed first" : result.keyringDestroyed ? "destroyed" : "not there";
  const fields = renderFields(
    [
      ["Keys", keys],
      ["Deleted", `${counted(result.deletedFiles, "stored file")}, ${size(result.deletedBytes)}`],
      [
        "Kept",
        result.keptFiles === 0
          ? "nothing"
          : `${counted(result.keptFiles, "stored file")}, ${size(result.keptBytes)}, which other backups refer to`,
      ],
      [
        "Files key",
        result.filesKeyHeldBy.length === 0
          ? undefined
          : `held until the last of these is deleted:\n${result.filesKeyHeldBy.join("\n")}`,
      ],
    ],
    context,
  );
  return `${paint.bold(heading)}\n${fields}`;
}
