import type { TSchema } from "typebox";
import { backup, backupPage, backupSummary, deletion, verification } from "./backups.ts";
import { environment, environmentCheck, environmentPage } from "./environments.ts";
import { apiKey, apiKeyList, newApiKey } from "./api-keys.ts";
import { backupSteps, copy, copyPage } from "./contents.ts";
import { keyRotation } from "./keys.ts";
import { repositoryAnswers } from "./repositories.ts";
import { health } from "./health.ts";
import { notification, notificationPage, notificationTest } from "./notifications.ts";
import { problem } from "./problem.ts";
import { project, projectPage } from "./projects.ts";
import { restorePoint, restorePointPage } from "./restore-points.ts";
import { plan, restore, restorePage } from "./restores.ts";
import { preview, schedule, schedulePage, slot, slotPage } from "./schedules.ts";
import { log, queue } from "./shared.ts";

/** Every named shape of an answer, as the OpenAPI document lists them. */
export const answers: readonly TSchema[] = [
  queue,
  backupSummary,
  backup,
  backupPage,
  plan,
  restore,
  restorePage,
  restorePoint,
  restorePointPage,
  verification,
  deletion,
  project,
  projectPage,
  environment,
  environmentPage,
  environmentCheck,
  slot,
  slotPage,
  schedule,
  schedulePage,
  preview,
  notification,
  notificationPage,
  notificationTest,
  log,
  backupSteps,
  copy,
  copyPage,
  ...repositoryAnswers,
  keyRotation,
  apiKey,
  newApiKey,
  apiKeyList,
  health,
  problem,
];
