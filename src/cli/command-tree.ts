import { defineGroup } from "./command.ts";
import { backupGroup } from "./commands/backup.ts";
import {
  completionCommand,
  demoCommand,
  doctorCommand,
  versionCommand,
  workerCommand,
} from "./commands/general.ts";
import { environmentGroup } from "./commands/environment.ts";
import { notificationGroup } from "./commands/notification.ts";
import { projectGroup } from "./commands/project.ts";
import { apiKeyGroup } from "./commands/api-key.ts";
import { contextGroup } from "./commands/context.ts";
import { keyGroup } from "./commands/key.ts";
import { repositoryGroup } from "./commands/repository.ts";
import { restorePointsGroup } from "./commands/restore-points.ts";
import { copyGroup } from "./commands/copy.ts";
import { restoreGroup } from "./commands/restore.ts";
import { scheduleGroup } from "./commands/schedule.ts";
import { serveCommand } from "./commands/serve.ts";

/** Every command of `lc2`. */
export const commandTree = defineGroup(
  "lc2",
  "Backup and restore of a PostgreSQL database and its files: one recovery point, encrypted, proven by restoring it",
  [
    backupGroup,
    restoreGroup,
    copyGroup,
    restorePointsGroup,
    projectGroup,
    environmentGroup,
    scheduleGroup,
    notificationGroup,
    repositoryGroup,
    keyGroup,
    serveCommand,
    apiKeyGroup,
    contextGroup,
    doctorCommand,
    demoCommand,
    completionCommand,
    versionCommand,
    workerCommand,
  ],
);
