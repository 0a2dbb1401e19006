import type { SecretReference } from "../environment/environment.ts";

/**
 * - `failed`: a backup, restore, undo or copy failed,
 * - `recovered`: the first backup or restore of the same things that succeeded after one that failed,
 * - `missed`: a schedule's time passed without a backup, or its backup could not begin while its window was open,
 * - `stalled`: a task of something that runs moves no byte,
 * - `summary`: what a day came to, once a day.
 */
export const notificationEvents = ["failed", "recovered", "missed", "stalled", "summary"] as const;
export type NotificationEvent = (typeof notificationEvents)[number];

/** Who hears of what: exactly one of `webhook`, `slack` and `smtp`. */
export interface Notification {
  /** Empty: of the installation as a whole, which hears of all projects. */
  readonly projectId: string;
  readonly name: string;
  readonly description?: string;
  readonly events: readonly NotificationEvent[];
  /** `HH:MM`, in the project's time zone (of the installation: UTC): when the summary of the last day is due. */
  readonly summaryAt: string;
  readonly webhook?: WebhookTarget;
  readonly slack?: SlackTarget;
  readonly smtp?: SmtpTarget;
}

/** A receiver of signed calls, after Standard Webhooks. */
export interface WebhookTarget {
  /** Without credentials. */
  readonly url: string;
  /** Signs the calls; `whsec_` and base64, or any text. */
  readonly secret: SecretReference;
}

/** Slack's incoming webhooks and what takes the same: Mattermost, Rocket.Chat, … */
export interface SlackTarget {
  /** Where the URL is: whoever knows it can post. */
  readonly url: SecretReference;
}

export interface SmtpTarget {
  readonly host: string;
  /** Default: 587, or 465 with `implicit`. */
  readonly port?: number;
  /** `starttls` (default) refuses a server without it; `none` only for one on this machine. */
  readonly tls?: "starttls" | "implicit" | "none";
  readonly user?: string;
  readonly password?: SecretReference;
  readonly from: string;
  readonly to: readonly string[];
}

const defaultEvents: readonly NotificationEvent[] = ["failed", "recovered", "missed", "stalled"];
const defaultSummaryAt = "08:00";

/** A notification as it is asked for: what is not said has its default. */
export type NotificationWish = Partial<Notification> & Pick<Notification, "projectId" | "name">;

/** With the defaults filled in. Pure. */
export const toNotification = (wish: NotificationWish): Notification => ({
  ...wish,
  events: wish.events ?? defaultEvents,
  summaryAt: wish.summaryAt ?? defaultSummaryAt,
});
