import type { Written, WriteOptions } from "../../src/contract/definitions.ts";
import type { Environments, EnvironmentView } from "../../src/contract/environments.ts";
import type { Notifications, NotificationView } from "../../src/contract/notifications.ts";
import { toNotification } from "../../src/core/notification/notification.ts";
import type { Projects, ProjectView } from "../../src/contract/projects.ts";
import type { EnvironmentCheck } from "../../src/core/environment/environment-check.ts";
import { toEnvironment } from "../../src/core/environment/environment.ts";
import { Failure, type FailureCode } from "../../src/core/failure.ts";
import { toProject } from "../../src/core/project/project.ts";

const at = "2026-11-24T15:00:00.000Z";
const facts = { revision: 1, createdAt: at, changedAt: at };

export interface DefinitionsWorld {
  readonly projects: Map<string, ProjectView>;
  readonly environments: Map<string, EnvironmentView>;
  readonly notifications: Map<string, NotificationView>;
  checks: EnvironmentCheck;
}

/** One of each. */
export function exampleDefinitions(): DefinitionsWorld {
  const environment = toEnvironment({
    projectId: "default",
    name: "prod",
    role: "production",
    region: "north",
    storages: [{ url: "file:///srv/dl" }],
  });
  const notification = toNotification({
    projectId: "",
    name: "ops",
    webhook: { url: "https://ops.example/hooks/x", secret: "env:OPS" },
  });
  const delivery = {
    deliveryId: "msg_1",
    event: "failed",
    title: "The backup failed",
    state: "due" as const,
    tries: 2,
    plannedAt: at,
    nextTryAt: at,
    error: "no answer",
  };
  return {
    projects: new Map([["retail", { ...toProject({ projectId: "retail" }), ...facts }]]),
    checks: { checks: [{ subject: "database main", right: "connect", result: "ok" }] },
    environments: new Map([["default/prod", { ...environment, ...facts }]]),
    notifications: new Map([["/ops", { ...notification, ...facts, deliveries: [delivery] }]]),
  };
}

/** Projects and environments as entries in maps. */
export function createMemoryDefinitions(
  world: DefinitionsWorld,
  called: (method: string, ...args: readonly unknown[]) => void,
): Projects & Environments & Notifications {
  return {
    ...createProjects(world, called),
    ...createEnvironments(world, called),
    ...createNotifications(world, called),
  };
}

function createProjects(
  { projects }: DefinitionsWorld,
  called: (method: string, ...args: readonly unknown[]) => void,
): Projects {
  return {
    putProject: async (wish, options) => {
      called("putProject", wish, options);
      return await Promise.resolve(put(projects, wish.projectId, { ...toProject(wish), ...facts }, options));
    },
    listProjects: async (query) => {
      called("listProjects", query);
      const found = [...projects.values()];
      return await Promise.resolve({ projects: found, total: found.length });
    },
    getProject: async (projectId) => await Promise.resolve(get(projects, projectId, "project-not-found")),
    deleteProject: async (projectId, options) => {
      called("deleteProject", projectId, options);
      const view = get(projects, projectId, "project-not-found");
      if (options.dryRun !== true) projects.delete(projectId);
      return await Promise.resolve(view);
    },
  };
}

function createEnvironments(
  { environments, checks }: DefinitionsWorld,
  called: (method: string, ...args: readonly unknown[]) => void,
): Environments {
  const idOf = ({ projectId, name }: { readonly projectId: string; readonly name: string }): string =>
    `${projectId}/${name}`;
  return {
    putEnvironment: async (wish, options) => {
      called("putEnvironment", wish, options);
      const view = { ...toEnvironment(wish), ...facts };
      return await Promise.resolve(put(environments, idOf(wish), view, options));
    },
    listEnvironments: async (query) => {
      called("listEnvironments", query);
      const found = [...environments.values()];
      return await Promise.resolve({ environments: found, total: found.length });
    },
    getEnvironment: async (reference) =>
      await Promise.resolve(get(environments, idOf(reference), "environment-not-found")),
    checkEnvironment: async (reference, options) => {
      called("checkEnvironment", reference, options);
      get(environments, idOf(reference), "environment-not-found");
      return await Promise.resolve(checks);
    },
    deleteEnvironment: async (reference, options) => {
      called("deleteEnvironment", reference, options);
      const view = get(environments, idOf(reference), "environment-not-found");
      if (options.dryRun !== true) environments.delete(idOf(reference));
      return await Promise.resolve(view);
    },
  };
}

function createNotifications(
  { notifications }: DefinitionsWorld,
  called: (method: string, ...args: readonly unknown[]) => void,
): Notifications {
  const idOf = ({ projectId, name }: { readonly projectId: string; readonly name: string }): string =>
    `${projectId}/${name}`;
  return {
    putNotification: async (wish, options) => {
      called("putNotification", wish, options);
      const view = { ...toNotification(wish), ...facts };
      return await Promise.resolve(put(notifications, idOf(wish), view, options));
    },
    listNotifications: async (query) => {
      called("listNotifications", query);
      const found = [...notifications.values()];
      return await Promise.resolve({ notifications: found, total: found.length });
    },
    getNotification: async (reference) =>
      await Promise.resolve(get(notifications, idOf(reference), "notification-not-found")),
    deleteNotification: async (reference, options) => {
      called("deleteNotification", reference, options);
      const view = get(notifications, idOf(reference), "notification-not-found");
      if (options.dryRun !== true) notifications.delete(idOf(reference));
      return await Promise.resolve(view);
    },
    testNotification: async (reference) => {
      called("testNotification", reference);
      get(notifications, idOf(reference), "notification-not-found");
      return await Promise.resolve({ deliveryId: "msg_test_1" });
    },
  };
}

function put<View>(kept: Map<string, View>, id: string, view: View, { dryRun }: WriteOptions): Written<View> {
  const outcome = kept.has(id) ? "changed" : "created";
  if (dryRun !== true) kept.set(id, view);
  return { outcome, view };
}

function get<View>(kept: Map<string, View>, id: string, code: FailureCode): View {
  const found = kept.get(id);
  if (found === undefined) throw new Failure(code, `There is no ${id}.`);
  return found;
}
