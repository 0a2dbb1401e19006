/** What the paths of routes hold. */
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { BackupReference } from "../contract/service.ts";
import { ofProject, refusePlaces } from "./authenticate.ts";
import type { HttpParts } from "./parts.ts";

export const projectPath = Type.Object({ projectId: Type.String() });
export const backupPath = Type.Object({ projectId: Type.String(), backupId: Type.String() });
export const restorePath = Type.Object({ projectId: Type.String(), restoreId: Type.String() });

export const copyPath = Type.Object({ projectId: Type.String(), copyId: Type.String() });

export const copiesBase = "/api/v1/projects/:projectId/copies";
export const backupsBase = "/api/v1/projects/:projectId/backups";
export const restoresBase = "/api/v1/projects/:projectId/restores";

/** The backup that a request names, and where it looks for it. Refuses places that the caller may not name. */
export function referenceOf(
  parts: HttpParts,
  request: FastifyRequest,
  place: { readonly repository?: string },
): BackupReference {
  refusePlaces(parts, request, [place.repository]);
  // The route's schema has checked it.
  const { projectId, backupId } = request.params as { projectId: string; backupId: string };
  return { backupId, ...ofProject({ projectId }), ...place };
}
