import type { NotificationWish } from "../../contract/notifications.ts";
import { Failure } from "../../core/failure.ts";
import { defineCommand, defineGroup, list, operand, optionalOperand, value } from "../command.ts";
import type { Input, Problem } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { oneOf, projectId, text, wholeNumber } from "../option-values.ts";
import { definitionOptions, given, listQuery, removalDryRun } from "./definition-options.ts";
import { needs, pagingOptions, projectFilter } from "./shared-options.ts";

const events = ["failed", "recovered", "missed", "stalled", "summary"] as const;
const waysOfTls = ["starttls", "implicit", "none"] as const;
const projectOption = value(
  "--project <id>",
  "of this project (default: of the installation, which hears of all projects)",
  projectId,
);

const options = {
  project: projectOption,
  description: value("--description <text>", "one line for people", text),
  event: list("--event <event>", `${events.join(", ")} (default: all but summary)`, oneOf(...events), {
    complete: events,
  }),
  summaryAt: value("--summary-at <time>", "when the summary of a day is due, HH:MM (default 08:00)", text),
  webhook: value("--webhook <url>", "call this URL, signed after Standard Webhooks", text),
  secret: value("--secret <ref>", "where the secret that signs is: env:NAME or file:/path", text),
  slack: value("--slack <ref>", "where the URL of a Slack incoming webhook is: env:NAME or file:/path", text),
  smtpHost: value("--smtp-host <host>", "mail through this server", text),
  smtpPort: value(
    "--smtp-port <n>",
    "its port (default 587, or 465 with implicit TLS)",
    wholeNumber(1, 65_535),
  ),
  smtpTls: value(
    "--smtp-tls <way>",
    `${waysOfTls.join(", ")} (default: starttls; none only on this machine)`,
    oneOf(...waysOfTls),
    { complete: waysOfTls },
  ),
  smtpUser: value("--smtp-user <name>", "who signs in there", text),
  smtpPassword: value("--smtp-password <ref>", "where the password is: env:NAME or file:/path", text),
  from: value("--from <address>", "the mail's sender", text),
  to: list("--to <address>", "a receiver of the mail", text),
  ...definitionOptions,
};
const argumentsOfCreate = {
  name: optionalOperand("[name]", "its name; not needed where the file has it", text),
};
type CreateInput = Input<typeof options, typeof argumentsOfCreate>;

const createCommand = defineCommand({
  name: "create",
  summary: "tell somebody when a backup fails, works again or is missed",
  description:
    "A server tells; what happens without one is told when one runs. Secrets are only referred to, and read when they " +
    "are needed. The same command run again changes nothing.",
  examples: [
    {
      command:
        "lc2 notification create ops --webhook https://ops.example/lc2 --secret env:LC2_WEBHOOK_SECRET",
      says: "a signed call, for all projects",
    },
    {
      command: "lc2 notification create chat --project retail --slack file:/run/secrets/slack --event failed",
      says: "a message for one project",
    },
    {
      command:
        "lc2 notification create mail --smtp-host mail.example --smtp-user lc2 --smtp-password env:MAIL --from lc2@shop.example --to ops@shop.example --event summary",
      says: "a mail a day",
    },
  ],
  output: ["table", "json", "yaml", "name"],
  arguments: argumentsOfCreate,
  options,
  check: ({ options: written }) => problemsBetween(written),
  run: async (context, input) => {
    const { printWritten } = await import("./definition-file.ts");
    const { showNotification } = await import("../pages/notifications.ts");
    const { replace, dryRun } = input.options;
    const wish = await toWish(context, input);
    const condition = replace ? ("any" as const) : ("absent" as const);
    const written = await (await context.service()).putNotification(wish, { condition, dryRun });
    printWritten(context, written, dryRun, `Notification ${wish.name}`, (view) =>
      showNotification(view, context),
    );
  },
});

function problemsBetween(written: CreateInput["options"]): Problem[] {
  const mail = written.smtpHost !== undefined;
  const ways = [
    ["--webhook", written.webhook !== undefined],
    ["--slack", written.slack !== undefined],
    ["--smtp-host", mail],
  ] as const;
  const [first, second] = ways.filter(([, isGiven]) => isGiven);
  return [
    ...(first !== undefined && second !== undefined
      ? [
          {
            subject: second[0],
            code: "usage" as const,
            message: `does not go with ${first[0]}; make a second one`,
          },
        ]
      : []),
    ...needs([["--webhook", written.webhook !== undefined]], "--secret", written.secret !== undefined),
    ...needs([["--secret", written.secret !== undefined]], "--webhook", written.webhook !== undefined),
    ...needs([["--smtp-host", mail]], "--from and --to", written.from !== undefined && written.to.length > 0),
    ...needs(
      [
        ["--smtp-port", written.smtpPort !== undefined],
        ["--smtp-tls", written.smtpTls !== undefined],
        ["--smtp-user", written.smtpUser !== undefined],
        ["--smtp-password", written.smtpPassword !== undefined],
        ["--from", written.from !== undefined],
        ["--to", written.to.length > 0],
      ],
      "--smtp-host",
      mail,
    ),
  ];
}

async function toWish(
  context: CommandContext,
  { options: written, arguments: operands }: CreateInput,
): Promise<NotificationWish> {
  const base = written.file === undefined ? {} : await readFile(context, written.file);
  const { project, description, event, summaryAt, webhook, secret, slack, smtpHost, from, to } = written;
  const wish = {
    ...base,
    ...given({ description, summaryAt, projectId: project, name: operands.name }),
    ...(event.length === 0 ? {} : { events: event }),
    ...(webhook === undefined || secret === undefined ? {} : { webhook: { url: webhook, secret } }),
    ...(slack === undefined ? {} : { slack: { url: slack } }),
    ...(smtpHost === undefined || from === undefined
      ? {}
      : {
          smtp: {
            host: smtpHost,
            from,
            to,
            ...given({
              port: written.smtpPort,
              tls: written.smtpTls,
              user: written.smtpUser,
              password: written.smtpPassword,
            }),
          },
        }),
  };
  if (wish.name === undefined)
    throw new Failure("usage", "Which notification? Give its name, or a file that says it.");
  return { ...wish, name: wish.name, projectId: wish.projectId ?? "" };
}

async function readFile(context: CommandContext, file: string): Promise<Partial<NotificationWish>> {
  const [{ readDefinitionFile }, { notificationFile }] = await Promise.all([
    import("./definition-file.ts"),
    import("../../contract/rest/notifications.ts"),
  ]);
  return await readDefinitionFile(context, file, notificationFile);
}

const nameOperand = operand("<name>", "as `lc2 notification list` shows it");
const referenceOf = (name: string, project: string | undefined) => ({ projectId: project ?? "", name });

const listCommand = defineCommand({
  name: "list",
  summary: "list notifications",
  output: ["table", "json", "yaml", "name"],
  arguments: {},
  options: { project: projectFilter, ...pagingOptions },
  run: async (context, { options: written }) => {
    const found = await (await context.service()).listNotifications(listQuery(written));
    const { showNotifications } = await import("../pages/notifications.ts");
    context.print(found, () => showNotifications(found.notifications, context));
  },
});

const getCommand = defineCommand({
  name: "get",
  summary: "show a notification, and what it told last",
  output: ["table", "json", "yaml", "name"],
  arguments: { name: nameOperand },
  options: { project: projectOption },
  run: async (context, { arguments: { name }, options: { project } }) => {
    const view = await (await context.service()).getNotification(referenceOf(name, project));
    const { showNotification } = await import("../pages/notifications.ts");
    context.print(view, () => showNotification(view, context));
  },
});

const testCommand = defineCommand({
  name: "test",
  summary: "send a test message now, and say whether it arrived",
  output: ["table", "json", "yaml"],
  arguments: { name: nameOperand },
  options: { project: projectOption },
  run: async (context, { arguments: { name }, options: { project } }) => {
    const sent = await (await context.service()).testNotification(referenceOf(name, project));
    context.print(sent, () => `The receiver of ${name} took the test message ${sent.deliveryId}.\n`);
  },
});

const deleteCommand = defineCommand({
  name: "delete",
  summary: "forget a notification",
  output: ["table", "json", "yaml", "name"],
  arguments: { name: nameOperand },
  options: { project: projectOption, dryRun: removalDryRun },
  run: async (context, { arguments: { name }, options: { project, dryRun } }) => {
    const reference = referenceOf(name, project);
    const view = await (await context.service()).deleteNotification(reference, { dryRun });
    context.print(view, () =>
      context.format === "name"
        ? `${name}\n`
        : `Notification ${name} ${dryRun ? "would be forgotten; nothing was done" : "is forgotten"}.\n`,
    );
  },
});

export const notificationGroup = defineGroup(
  "notification",
  "who is told when a backup fails, works again or is missed: webhook, Slack, mail",
  [createCommand, listCommand, getCommand, testCommand, deleteCommand],
);
