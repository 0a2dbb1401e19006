import { defineGroup } from "./command.ts";
import { backupGroup } from "./commands/backup.ts";
import { restoreGroup } from "./commands/restore.ts";

export const commandTree = defineGroup(
  "lc2",
  "Backup and restore of a PostgreSQL database and its files: one recovery point, encrypted, proven",
  [backupGroup, restoreGroup],
);
