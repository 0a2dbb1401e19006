import type { BackupWish } from "../../contract/operations.ts";
import type { CommandContext } from "../context.ts";
import { refuseNoWait } from "./shared-options.ts";
import { showBackupSummary } from "../pages/backup-page.ts";
import { showBackups } from "../pages/backup-list.ts";
import { sayKeyCreated } from "../pages/key-created.ts";

interface CreateOptions {
  readonly dryRun: boolean;
  readonly maxRate: number | undefined;
  /** `file:///…` or `s3://…`; undefined: the installation's own. */
  readonly repository: string | undefined;
  readonly noWait: boolean;
}

export async function createBackup(
  context: CommandContext,
  spec: BackupWish,
  options: CreateOptions,
): Promise<void> {
  const service = await context.service();
  const place = options.repository === undefined ? {} : { repository: options.repository };
  if (options.dryRun) {
    const steps = await service.dryRunBackup(spec, place, context.waiting());
    context.print(
      { dryRun: true, steps },
      () => ["Nothing was started. A backup would:", ...bullets(steps)].join("\n") + "\n",
    );
    return;
  }
  const waiting = context.waiting({
    onEvent: (event) => {
      if (event.type === "key-created") sayKeyCreated(context, event.projectId, event.place);
    },
  });
  const wish = {
    ...place,
    ...(options.maxRate === undefined ? {} : { maxRateBytesPerSecond: options.maxRate }),
  };
  if (options.noWait) {
    refuseNoWait(context);
    const begun = await service.submitBackup(spec, wish);
    context.print(begun, () => showBackups([begun], context));
    return;
  }
  const view = await service.createBackup(spec, wish, waiting);
  if (context.format === "name") context.out.write(`${view.backupId}\n`);
  else context.print(view, () => showBackupSummary(view, spec, context));
}

const bullets = (lines: readonly string[]): string[] => lines.map((line) => `  - ${line}`);
