import type { RemoveOptions, WriteOptions, Written } from "../contract/definitions.ts";
import type { EnvironmentReference, Environments, EnvironmentView } from "../contract/environments.ts";
import type { NotificationReference, Notifications, NotificationView } from "../contract/notifications.ts";
import type { Projects, ProjectView } from "../contract/projects.ts";
import type {
  ComingSlotView,
  ScheduleKey,
  Schedules,
  ScheduleView,
  SlotView,
} from "../contract/schedules.ts";
import type { HttpConnection } from "./http-connection.ts";
import { anyProject, read, readPages } from "./pages.ts";
import { submissionOf } from "./submission.ts";

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
    checkEnvironment: async (reference, options, waiting) =>
      await http.callWaiting(
        { method: "POST", path: `${pathOf(reference)}/check`, body: options, repeatable: true },
        waiting,
      ),
    deleteEnvironment: async (reference, options) =>
      await remove<EnvironmentView>(http, pathOf(reference), options),
  };
}

export function createScheduleCalls(http: HttpConnection): Schedules {
  const pathOf = ({ projectId, name }: ScheduleKey): string =>
    `projects/${encodeURIComponent(projectId)}/schedules/${encodeURIComponent(name)}`;
  return {
    putSchedule: async ({ projectId, name, ...wish }, options) =>
      await write<ScheduleView>(http, pathOf({ projectId, name }), wish, options),
    listSchedules: async ({ projectId = anyProject, limit, offset = 0 }) => {
      const path = `projects/${projectId}/schedules`;
      const { items, total } = await readPages<ScheduleView>(http, path, {}, "schedules", offset + limit);
      return { schedules: items.slice(offset), total };
    },
    getSchedule: async (key) => await http.call({ ...read, path: pathOf(key) }),
    deleteSchedule: async (key, options) => await remove<ScheduleView>(http, pathOf(key), options),
    suspendSchedule: async (key, suspended) =>
      await http.call({
        method: "POST",
        path: `${pathOf(key)}/${suspended ? "suspend" : "resume"}`,
        repeatable: true,
      }),
    runSchedule: async (key, submission) =>
      await http.call({ method: "POST", path: `${pathOf(key)}/run`, ...submissionOf(submission) }),
    previewSchedule: async (key, count) => {
      const answer = await http.call<{ slots: readonly ComingSlotView[] }>({
        ...read,
        path: `${pathOf(key)}/next`,
        query: { count },
      });
      return answer.slots;
    },
    listSlots: async ({ projectId = anyProject, schedule = "", outcome, limit, offset = 0 }) => {
      const path = `${pathOf({ projectId, name: schedule })}/slots`;
      const { items, total } = await readPages<SlotView>(http, path, { outcome }, "slots", offset + limit);
      return { slots: items.slice(offset), total };
    },
  };
}

export function createNotificationCalls(http: HttpConnection): Notifications {
  const pathOf = ({ projectId, name }: NotificationReference): string =>
    `${projectId === "" ? "" : `projects/${encodeURIComponent(projectId)}/`}notifications/${encodeURIComponent(name)}`;
  return {
    putNotification: async ({ projectId, name, ...wish }, options) =>
      await write<NotificationView>(http, pathOf({ projectId, name }), wish, options),
    listNotifications: async ({ projectId = anyProject, limit, offset = 0 }) => {
      const path = projectId === "" ? "notifications" : `projects/${projectId}/notifications`;
      const { items, total } = await readPages<NotificationView>(
        http,
        path,
        {},
        "notifications",
        offset + limit,
      );
      return { notifications: items.slice(offset), total };
    },
    getNotification: async (reference) => await http.call({ ...read, path: pathOf(reference) }),
    deleteNotification: async (reference, options) =>
      await remove<NotificationView>(http, pathOf(reference), options),
    testNotification: async (reference) =>
      await http.call({ method: "POST", path: `${pathOf(reference)}/test` }),
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
