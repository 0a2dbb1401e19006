import type { Projects, ProjectView } from "../contract/projects.ts";
import { Failure } from "../core/failure.ts";
import type { DefinitionRecord } from "../core/ports/definition-records.ts";
import { toProject } from "../core/project/project.ts";
import { validateProject } from "../core/project/validate-project.ts";
import { refuseProblems } from "../core/problem.ts";
import { factsOf, nameOf, readDefinition, removeDefinition, writeDefinition } from "./definitions.ts";
import type { EngineParts } from "./parts.ts";
import { projectKey, projectOf, readProject } from "./read-project.ts";
import { normalizeRepositoryUrl } from "./repository-url.ts";

/** The verbs of projects. */
export function createProjectService(parts: EngineParts): Projects {
  return {
    putProject: async (wish, options) => {
      const project = toProject(wish);
      refuseProblems(validateProject(project));
      const { projectId, repository, ...spec } = project;
      const place = repository === undefined ? {} : { repository: normalizeRepositoryUrl(repository) };
      const before = options.dryRun === true ? undefined : await readProject(parts, projectId);
      // Before the change: what is lost by a death between the two is a saving that was not needed.
      if (before !== undefined && before.repository !== place.repository)
        await parts.catalog.markDefinitionsUnsaved(projectId);
      const written = await writeDefinition(parts, projectKey(projectId), { ...spec, ...place }, options);
      return { outcome: written.outcome, view: viewProject(written.view) };
    },

    listProjects: async ({ projectIds, limit, offset = 0 }) => {
      if (projectIds === undefined) {
        const page = await parts.catalog.listDefinitions({ kind: "project", limit, offset });
        return { projects: page.definitions.map(viewProject), total: page.total };
      }
      const read = projectIds.toSorted().map(async (id) => await parts.catalog.getDefinition(projectKey(id)));
      const found = (await Promise.all(read)).filter((record) => record !== undefined);
      return { projects: found.slice(offset, offset + limit).map(viewProject), total: found.length };
    },

    getProject: async (projectId) =>
      viewProject(await readDefinition(parts, projectKey(projectId), "project-not-found")),

    deleteProject: async (projectId, options) => {
      const all = await parts.catalog.listProjectDefinitions(projectId);
      const inUse = all.find(({ kind, deletedAtMs }) => kind !== "project" && deletedAtMs === undefined);
      if (inUse !== undefined) {
        throw new Failure(
          "definition-in-use",
          `The project "${projectId}" cannot be deleted: there is the ${nameOf(inUse)}. Delete what is defined in ` +
            "it first; its backups stay.",
        );
      }
      return viewProject(await removeDefinition(parts, projectKey(projectId), options, "project-not-found"));
    },
  };
}

const viewProject = (record: DefinitionRecord): ProjectView => ({ ...projectOf(record), ...factsOf(record) });
