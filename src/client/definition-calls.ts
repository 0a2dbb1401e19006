import type { RemoveOptions, WriteOptions, Written } from "../contract/definitions.ts";
import type { EnvironmentReference, Environments, EnvironmentView } from "../contract/environments.ts";
import type { Projects, ProjectView } from "../contract/projects.ts";
import type { HttpConnection } from "./http-connection.ts";
import { anyProject, read, readPages } from "./pages.ts";

export function createProjectCalls(http: HttpConnection): Projects {
  const pathOf = (projectId: string): string => `projects/${encodeURIComponent(projectId)}`;
  return {
    putProject: async ({ projectId, ...wish }, options) =>
      await write<ProjectView>(http, pathOf(projectId), wish, options),
    listProjects: async ({ projectIds, limit, offset = 0 }) => {
      const { items, total } = await readPages<ProjectView>(http, "projects", {}, "projects", offset + limit);
      const projects = items.filter(({ projectId }) => projectIds?.includes(projectId) ?? true);
      return { projects: projects.slice(offset), total };
    },
    getProject: async (projectId) => await http.call({ ...read, path: pathOf(projectId) }),
    deleteProject: async (projectId, options) => await remove<ProjectView>(http, pathOf(projectId), options),
  };
}

export function createEnvironmentCalls(http: HttpConnection): Environments {
  const pathOf = ({ projectId, name }: EnvironmentReference): string =>
    `projects/${encodeURIComponent(projectId)}/environments/${encodeURIComponent(name)}`;
  return {
    putEnvironment: async ({ projectId, name, ...wish }, options) =>
      await write<EnvironmentView>(http, pathOf({ projectId, name }), wish, options),
    listEnvironments: async ({ projectId = anyProject, limit, offset = 0 }) => {
      const path = `projects/${projectId}/environments`;
      const { items, total } = await readPages<EnvironmentView>(
        http,
        path,
        {},
        "environments",
        offset + limit,
      );
      return { environments: items.slice(offset), total };
    },
    getEnvironment: async (reference) => await http.call({ ...read, path: pathOf(reference) }),
    deleteEnvironment: async (reference, options) =>
      await remove<EnvironmentView>(http, pathOf(reference), options),
  };
}

/** May be sent again: a write of what is there changes nothing. */
async function write<View extends { readonly revision: number }>(
  http: HttpConnection,
  path: string,
  body: object,
  { condition, dryRun = false }: WriteOptions,
): Promise<Written<View>> {
  const before = await http.call<View>({ ...read, path }).catch(() => undefined);
  const view = await http.call<View>({
    method: "PUT",
    path,
    body,
    query: dryRun ? { dryRun } : {},
    headers:
      condition === "any"
        ? {}
        : condition === "absent"
          ? { "if-none-match": "*" }
          : { "if-match": `"r${condition.revision}"` },
    repeatable: condition === "any" || condition === "absent",
  });
  const outcome =
    before === undefined ? "created" : before.revision === view.revision ? "unchanged" : "changed";
  return { outcome, view };
}

/** Resolves with what was there. */
async function remove<View>(
  http: HttpConnection,
  path: string,
  { revision, dryRun = false }: RemoveOptions,
): Promise<View> {
  const view = await http.call<View>({ ...read, path });
  await http.call({
    method: "DELETE",
    path,
    query: dryRun ? { dryRun } : {},
    headers: revision === undefined ? {} : { "if-match": `"r${revision}"` },
  });
  return view;
}
