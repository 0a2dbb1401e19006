/** What the paths of routes hold. */
import { Type } from "typebox";
import type { BackupReference } from "../contract/service.ts";
import { ofProject } from "./authenticate.ts";

export const projectPath = Type.Object({ projectId: Type.String() });
export const backupPath = Type.Object({ projectId: Type.String(), backupId: Type.String() });
export const restorePath = Type.Object({ projectId: Type.String(), restoreId: Type.String() });

export const backupsBase = "/api/v1/projects/:projectId/backups";
export const restoresBase = "/api/v1/projects/:projectId/restores";

export const referenceOf = (params: {
  readonly projectId: string;
  readonly backupId: string;
}): BackupReference => ({
  backupId: params.backupId,
  ...ofProject(params),
});
