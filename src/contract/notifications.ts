import type { Notification, NotificationWish } from "../core/notification/notification.ts";
import type { DeliveryState } from "../core/ports/notification-records.ts";
import type { DefinitionFacts, RemoveOptions, WriteOptions, Written } from "./definitions.ts";

export type { NotificationWish } from "../core/notification/notification.ts";

/** `projectId` is empty for one of the installation. */
export type NotificationView = Notification &
  DefinitionFacts & {
    /** What it told last, newest first; only of a single one. */
    readonly deliveries?: readonly DeliveryView[];
  };

export interface DeliveryView {
  /** The id that the receiver sees, however often it is sent. */
  readonly deliveryId: string;
  readonly event: string;
  readonly title: string;
  readonly state: DeliveryState;
  readonly tries: number;
  readonly plannedAt: string;
  readonly deliveredAt?: string;
  /** While it is due and was tried: when it is tried again. */
  readonly nextTryAt?: string;
  readonly error?: string;
}

export interface NotificationReference {
  /** Empty: of the installation. */
  readonly projectId: string;
  readonly name: string;
}

export interface Notifications {
  /** Makes or changes a notification, as the condition says; rejects as `putEnvironment` does. */
  putNotification(wish: NotificationWish, options: WriteOptions): Promise<Written<NotificationView>>;
  /** By project and name. Without a project: all, the installation's too. */
  listNotifications(query: {
    projectId?: string;
    limit: number;
    offset?: number;
  }): Promise<{ readonly notifications: readonly NotificationView[]; readonly total: number }>;
  /** Rejects with `notification-not-found`. */
  getNotification(reference: NotificationReference): Promise<NotificationView>;
  deleteNotification(reference: NotificationReference, options: RemoveOptions): Promise<NotificationView>;
  /** Sends a test message now, once. Rejects with `notification-failed` when it did not arrive. */
  testNotification(reference: NotificationReference): Promise<{ readonly deliveryId: string }>;
}
