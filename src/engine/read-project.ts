import type { DefinitionKey, DefinitionRecord } from "../core/ports/definition-records.ts";
import { toProject, type Project, type ProjectWish } from "../core/project/project.ts";
import type { EngineParts } from "./parts.ts";

export const projectKey = (projectId: string): DefinitionKey => ({
  kind: "project",
  projectId,
  name: projectId,
});

/** What is said of a project; its defaults, where nothing is. */
export async function readProject(parts: EngineParts, projectId: string): Promise<Project> {
  const found = await parts.catalog.getDefinition(projectKey(projectId));
  return found === undefined ? toProject({ projectId }) : projectOf(found);
}

/** A project that is named for the first time is made with its defaults. Idempotent. */
export async function ensureProject(parts: EngineParts, projectId: string): Promise<void> {
  const key = projectKey(projectId);
  if ((await parts.catalog.getDefinition(key)) !== undefined) return;
  await parts.catalog.putDefinition(
    { ...key, spec: {}, nowMs: parts.clock.nowMs(), byDefault: true },
    "absent",
  );
}

export const projectOf = ({ projectId, spec }: Pick<DefinitionRecord, "projectId" | "spec">): Project =>
  toProject({ ...(spec as Omit<ProjectWish, "projectId">), projectId });
