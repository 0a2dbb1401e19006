import { Type } from "typebox";
import { notificationEvents } from "../../core/notification/notification.ts";
import { definitionFacts } from "./definitions.ts";
import { choice, closed, instant, names, refer, text, whole } from "./schema.ts";
import { page } from "./shared.ts";

const reference = (of: string) =>
  text(`${of}, by reference: env:NAME or file:/path on the server's machine.`);
const name = text("Lower-case letters, digits and hyphens, at most 63.");
const webhook = Type.Object(
  { url: text("http:// or https://, without credentials."), secret: reference("The secret that signs") },
  closed,
);
const slack = Type.Object({ url: reference("The incoming webhook's URL") }, closed);
const smtp = Type.Object(
  {
    host: text("The mail server."),
    port: Type.Optional(whole("Default: 587, or 465 with implicit TLS.")),
    tls: Type.Optional(choice(["starttls", "implicit", "none"], { default: "starttls" })),
    user: Type.Optional(text("Who signs in there.")),
    password: Type.Optional(reference("The password")),
    from: text("One mail address."),
    to: names("Mail addresses."),
  },
  closed,
);
const said = {
  description: Type.Optional(text("One line for people.")),
  webhook: Type.Optional(webhook),
  slack: Type.Optional(slack),
  smtp: Type.Optional(smtp),
};
const events = Type.Array(choice(notificationEvents), { maxItems: 20 });

/** PUT: the path names it. */
export const notificationChange = Type.Object(
  {
    ...said,
    events: Type.Optional(events),
    summaryAt: Type.Optional(
      text("HH:MM in the project's time zone, when the summary is due; default 08:00."),
    ),
  },
  closed,
);
export const notificationRequest = Type.Object({ name, ...notificationChange.properties }, closed);
/** A file for the command line, where name and project may be said beside it. */
export const notificationFile = Type.Object(
  { name: Type.Optional(name), projectId: Type.Optional(Type.String()), ...notificationChange.properties },
  closed,
);

const delivery = Type.Object({
  deliveryId: text("What the receiver sees, however often it is sent."),
  event: Type.String(),
  title: Type.String(),
  state: choice(["due", "delivered", "given-up"]),
  tries: Type.Integer(),
  plannedAt: instant("When it was found."),
  deliveredAt: Type.Optional(instant("When the receiver took it.")),
  nextTryAt: Type.Optional(instant("When it is tried again.")),
  error: Type.Optional(text("Why the last try failed.")),
});
export const notification = Type.Object(
  {
    projectId: text("Empty: of the installation."),
    name,
    ...said,
    events,
    summaryAt: Type.String(),
    ...definitionFacts,
    deliveries: Type.Optional(
      Type.Array(delivery, { description: "What it told last, newest first; of a single one." }),
    ),
  },
  { $id: "Notification" },
);
export const notificationPage = Type.Object(
  { notifications: Type.Array(refer(notification)), ...page },
  { $id: "NotificationPage" },
);
export const notificationTest = Type.Object(
  { deliveryId: text("What the receiver saw.") },
  { $id: "NotificationTest" },
);
