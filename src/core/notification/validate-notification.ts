import { validateProjectId } from "../backup/validate-backup.ts";
import { validateSecretReference } from "../environment/secret-reference.ts";
import { isWholeBetween, when, type Problem } from "../problem.ts";
import { validateDescription } from "../project/validate-project.ts";
import { projectIdPattern } from "../repository/layout.ts";
import { notificationEvents, type Notification, type SmtpTarget } from "./notification.ts";

/** Everything that is wrong with a notification, at once. */
export function validateNotification(notification: Notification): readonly Problem[] {
  const { projectId, name, description, events, summaryAt, webhook, slack, smtp } = notification;
  const targets = [webhook, slack, smtp].filter((target) => target !== undefined);
  return [
    ...(projectId === "" ? [] : validateProjectId(projectId)),
    ...when(
      !projectIdPattern.test(name),
      "name",
      `"${name}" is no name: lower-case letters, digits and hyphens, at most 63, no hyphen at either end.`,
    ),
    ...validateDescription(description),
    ...when(events.length === 0, "events", "The notification is about no event. Name at least one."),
    ...events.flatMap((event) =>
      when(
        !notificationEvents.includes(event),
        "events",
        `"${event}" is no event; use ${notificationEvents.join(", ")}.`,
      ),
    ),
    ...when(
      !/^(?:[01]\d|2[0-3]):[0-5]\d$/.test(summaryAt),
      "summaryAt",
      `"${summaryAt}" is no time of day, such as 08:00.`,
    ),
    ...when(targets.length !== 1, "webhook", "A notification has exactly one of webhook, slack and smtp."),
    ...(webhook === undefined
      ? []
      : [
          ...validateReceiverUrl("webhook.url", webhook.url),
          ...validateSecretReference("webhook.secret", webhook.secret),
        ]),
    ...(slack === undefined ? [] : validateSecretReference("slack.url", slack.url)),
    ...(smtp === undefined ? [] : validateSmtp(smtp)),
  ];
}

/** Never repeats the URL: what is wrong with it may be a secret. */
function validateReceiverUrl(field: string, url: string): Problem[] {
  if (/^[a-z]+:\/\/[^/?#]*@/i.test(url)) {
    const message = "The URL carries credentials. Leave them out; what is sent is signed with the secret.";
    return [{ code: "password-on-command-line", field, message }];
  }
  return when(
    !/^https?:\/\/[^\s/?#]+[^\s#]*$/i.test(url),
    field,
    "The URL must be http:// or https://, without a fragment.",
  );
}

/** What a mail server of this machine is called. */
const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/;

function validateSmtp({ host, port, tls, user, password, from, to }: SmtpTarget): Problem[] {
  return [
    ...when(
      !/^[A-Za-z0-9.:-]{1,253}$/.test(host),
      "smtp.host",
      "The mail server is a host name or an address.",
    ),
    ...when(
      port !== undefined && !isWholeBetween(port, 1, 65_535),
      "smtp.port",
      "A port is a number from 1 to 65535.",
    ),
    ...when(
      tls === "none" && !loopback.test(host),
      "smtp.tls",
      "Without TLS mail goes only to a server of this machine: anybody on the way could read and change it.",
    ),
    ...when(
      (user === undefined) !== (password === undefined),
      "smtp.password",
      "A user and a password belong together; give both, or neither.",
    ),
    ...(password === undefined ? [] : validateSecretReference("smtp.password", password)),
    ...when(!isAddress(from), "smtp.from", `"${from}" is no mail address.`),
    ...when(to.length === 0 || to.length > 50, "smtp.to", "A mail goes to 1 to 50 addresses."),
    ...to.flatMap((address) => when(!isAddress(address), "smtp.to", `"${address}" is no mail address.`)),
  ];
}

/** One address without a name: nothing that could add a header. */
const isAddress = (text: string): boolean => /^[^\s@<>,;"\r\n]{1,64}@[^\s@<>,;"\r\n]{1,253}$/.test(text);
