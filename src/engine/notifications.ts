import type { DeliveryView, Notifications, NotificationView } from "../contract/notifications.ts";
import type { Happening } from "../core/notification/happening.ts";
import {
  toNotification,
  type Notification,
  type NotificationWish,
} from "../core/notification/notification.ts";
import { validateNotification } from "../core/notification/validate-notification.ts";
import type { DefinitionKey, DefinitionRecord } from "../core/ports/definition-records.ts";
import type { Delivery } from "../core/ports/notification-records.ts";
import { refuseProblems } from "../core/problem.ts";
import { toIso } from "./backup-views.ts";
import { factsOf, readDefinition, removeDefinition, writeDefinition } from "./definitions.ts";
import { makeContext, type EngineParts } from "./parts.ts";
import { ensureProject } from "./read-project.ts";
import { runTaskAlone } from "./run-worker.ts";

const keyOf = (projectId: string, name: string): DefinitionKey => ({ kind: "notification", projectId, name });
const shownDeliveries = 20;

/** The verbs of notifications. */
export function createNotificationService(parts: EngineParts): Notifications {
  return {
    putNotification: async (wish, options) => {
      const notification = toNotification(wish);
      refuseProblems(validateNotification(notification));
      const { projectId, name, ...spec } = notification;
      if (options.dryRun !== true && projectId !== "") await ensureProject(parts, projectId);
      const written = await writeDefinition(parts, keyOf(projectId, name), spec, options);
      return { outcome: written.outcome, view: viewNotification(written.view) };
    },

    listNotifications: async (query) => {
      const { definitions, total } = await parts.catalog.listDefinitions({ kind: "notification", ...query });
      return { notifications: definitions.map((record) => viewNotification(record)), total };
    },

    getNotification: async ({ projectId, name }) => {
      const record = await readDefinition(parts, keyOf(projectId, name), "notification-not-found");
      const deliveries = await parts.catalog.listDeliveries({ projectId, name, limit: shownDeliveries });
      return { ...viewNotification(record), deliveries: deliveries.map(viewDelivery) };
    },

    deleteNotification: async ({ projectId, name }, options) =>
      viewNotification(
        await removeDefinition(parts, keyOf(projectId, name), options, "notification-not-found"),
      ),

    testNotification: async ({ projectId, name }) => {
      const record = await readDefinition(parts, keyOf(projectId, name), "notification-not-found");
      const deliveryId = `msg_test_${parts.ids.hex(24)}`;
      const happening = testHappening(record, parts.clock.nowMs());
      await parts.callGate.run(
        AbortSignal.timeout(sendTimeoutMs),
        async () => await sendOnce(parts, notificationOf(record), deliveryId, happening),
      );
      return { deliveryId };
    },
  };
}

/** In a worker: secrets are read there, and a receiver that hangs or floods disturbs nothing else. */
export async function sendOnce(
  parts: EngineParts,
  notification: Notification,
  deliveryId: string,
  happening: Happening,
): Promise<void> {
  const projectId = notification.projectId === "" ? "default" : notification.projectId;
  const context = makeContext(parts, { repository: parts.defaultRepository, projectId });
  const task = { kind: "send-notification", context, deliveryId, notification, happening } as const;
  await runTaskAlone(parts, "send-notification", task, { signal: AbortSignal.timeout(sendTimeoutMs) });
}
/** Beyond the time-outs of the senders themselves. */
const sendTimeoutMs = 60_000;

export const notificationOf = ({ projectId, name, spec }: DefinitionRecord): Notification =>
  toNotification({ ...(spec as Omit<NotificationWish, "projectId" | "name">), projectId, name });

const viewNotification = (record: DefinitionRecord): NotificationView => ({
  ...notificationOf(record),
  ...factsOf(record),
});

function viewDelivery(delivery: Delivery): DeliveryView {
  const { id, happening, state, tries, createdAtMs, dueAtMs, deliveredAtMs, error } = delivery;
  return {
    deliveryId: id,
    event: happening.event,
    title: happening.title,
    state,
    tries,
    plannedAt: toIso(createdAtMs),
    ...(deliveredAtMs === undefined ? {} : { deliveredAt: toIso(deliveredAtMs) }),
    ...(state === "due" && tries > 0 ? { nextTryAt: toIso(dueAtMs) } : {}),
    ...(error === undefined ? {} : { error }),
  };
}

const testHappening = ({ projectId, name }: DefinitionRecord, nowMs: number): Happening => ({
  id: `test/${projectId}/${name}/${nowMs}`,
  event: "test",
  projectId,
  at: toIso(nowMs),
  title: `A test of the notification ${name}`,
  text: "Somebody asked for it with `lc2 notification test`. Nothing happened.",
  facts: { notification: name },
});
