import type { Project, ProjectWish } from "../core/project/project.ts";
import type { DefinitionFacts, RemoveOptions, WriteOptions, Written } from "./definitions.ts";

export type { ProjectWish } from "../core/project/project.ts";
export type ProjectView = Project & DefinitionFacts;

export interface Projects {
  /**
   * Makes or changes a project, as the condition says. Rejects with every problem at once, with `definition-exists`
   * where it must be new and another one is there, with `definition-changed` where the revision is not this one.
   */
  putProject(wish: ProjectWish, options: WriteOptions): Promise<Written<ProjectView>>;
  /** By id. */
  listProjects(query: {
    /** Only these; absent: all. */
    projectIds?: readonly string[];
    limit: number;
    offset?: number;
  }): Promise<{ readonly projects: readonly ProjectView[]; readonly total: number }>;
  getProject(projectId: string): Promise<ProjectView>;
  /** Its backups stay. Rejects with `definition-in-use` while something else is defined in it. */
  deleteProject(projectId: string, options: RemoveOptions): Promise<ProjectView>;
}
