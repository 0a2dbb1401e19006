import type { DeliveryView, NotificationView } from "../../contract/notifications.ts";
import type { CommandContext } from "../context.ts";
import { age } from "../humanise.ts";
import { renderFields, renderTable } from "../table.ts";
import type { Column } from "../table.ts";
import { printable } from "../terminal.ts";

export function showNotifications(
  notifications: readonly NotificationView[],
  context: CommandContext,
): string {
  if (context.format === "name") return notifications.map(({ name }) => `${name}\n`).join("");
  if (notifications.length === 0) return "No notifications: `lc2 notification create` makes one.\n";
  const columns: Column<NotificationView>[] = [
    { title: "NOTIFICATION", value: ({ name }) => name },
    { title: "PROJECT", value: ({ projectId }) => (projectId === "" ? "(all)" : projectId) },
    { title: "EVENTS", value: ({ events }) => events.join(", ") },
    { title: "TO", value: describeTarget },
  ];
  return renderTable(columns, notifications, context.paint);
}

export function showNotification(view: NotificationView, context: CommandContext): string {
  if (context.format === "name") return `${view.name}\n`;
  const fields = renderFields(
    [
      ["Description", view.description],
      ["Project", view.projectId === "" ? "all: it is the installation's" : view.projectId],
      ["Events", view.events.join(", ")],
      ["Summary at", view.events.includes("summary") ? view.summaryAt : undefined],
      ["To", describeTarget(view)],
      ["Revision", String(view.revision)],
      ["Changed", view.changedAt],
    ],
    context,
  );
  return `${context.paint.bold(view.name)}\n${fields}${showDeliveries(view.deliveries, context)}`;
}

/** Never more of a place than where it is: a path may be a secret. */
function describeTarget({ webhook, slack, smtp }: NotificationView): string {
  if (webhook !== undefined)
    return `${printable(new URL(webhook.url).origin)}, signed with ${webhook.secret}`;
  if (slack !== undefined) return `Slack, by ${slack.url}`;
  return smtp === undefined
    ? ""
    : `mail to ${smtp.to.map((address) => printable(address)).join(", ")} through ${smtp.host}`;
}

function showDeliveries(deliveries: readonly DeliveryView[] | undefined, context: CommandContext): string {
  if (deliveries === undefined) return "";
  if (deliveries.length === 0) return "\nIt has told nothing yet.\n";
  const nowMs = context.host.nowMs();
  const columns: Column<DeliveryView>[] = [
    { title: "EVENT", value: ({ event }) => event },
    { title: "WHAT", value: ({ title }) => printable(title) },
    { title: "STATE", value: describeState },
    { title: "TRIES", value: ({ tries }) => String(tries), align: "right" },
    { title: "AGE", value: ({ plannedAt }) => age(Date.parse(plannedAt), nowMs), align: "right" },
  ];
  return `\n${renderTable(columns, deliveries, context.paint)}`;
}

const describeState = ({ state, error, nextTryAt }: DeliveryView): string =>
  [state, error, nextTryAt === undefined ? undefined : `next try at ${nextTryAt}`]
    .filter((part) => part !== undefined)
    .map((part) => printable(part))
    .join("; ");
