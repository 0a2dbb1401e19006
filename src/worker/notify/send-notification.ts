import type { TaskOf, TaskResults } from "../../contract/worker-task.ts";
import { readSecret } from "../resolve-secrets.ts";
import type { TaskRun } from "../task.ts";
import { postJson } from "./post-json.ts";
import { signWebhook } from "./sign-webhook.ts";

/**
 * Tells one receiver of one happening. Sent again under the same id it is the same message: receivers can tell. Rejects
 * with `notification-failed`, `retry: never` when the receiver says that it will never want it.
 */
export async function sendNotification(
  task: TaskOf<"send-notification">,
  run: TaskRun,
): Promise<TaskResults["send-notification"]> {
  const { webhook, slack, smtp } = task.notification;
  const secret = async (reference: string) => await readSecret(reference, "a notification's secret", run.env);
  if (webhook !== undefined) {
    const body = JSON.stringify(toWebhookBody(task.happening));
    const timestamp = Math.floor(run.clock.nowMs() / 1000);
    const headers = signWebhook(task.deliveryId, timestamp, body, await secret(webhook.secret));
    await postJson(webhook.url, body, headers, run.signal);
  } else if (slack !== undefined) {
    const { title, text } = task.happening;
    await postJson(
      await secret(slack.url),
      JSON.stringify({ text: escape(`*${title}*\n${text}`) }),
      {},
      run.signal,
    );
  } else if (smtp !== undefined) {
    const { sendMail } = await import("./send-mail.ts");
    const password = smtp.password === undefined ? undefined : await secret(smtp.password);
    await sendMail(smtp, password, task.deliveryId, task.happening);
  }
  return { sent: true };
}

/** As Standard Webhooks has it: what happened, when, and the facts. */
const toWebhookBody = ({
  event,
  at,
  projectId,
  title,
  text,
  facts,
}: TaskOf<"send-notification">["happening"]) => ({
  type: `lc2.${event}`,
  timestamp: at,
  data: { ...(projectId === "" ? {} : { projectId }), title, text, ...facts },
});

/** Slack's own signs in what is only text. */
const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
