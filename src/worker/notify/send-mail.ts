import { createTransport } from "nodemailer";
import { Failure } from "../../core/failure.ts";
import type { Happening } from "../../core/notification/happening.ts";
import type { SmtpTarget } from "../../core/notification/notification.ts";

const timeoutMs = 20_000;

/** Sends one mail as text. Its Message-ID is made of the delivery, so that a second one is known as the same. */
export async function sendMail(
  { host, port, tls = "starttls", user, password: _reference, from, to }: SmtpTarget,
  password: string | undefined,
  deliveryId: string,
  { title, text, at, facts }: Happening,
): Promise<void> {
  const transport = createTransport({
    host,
    port: port ?? (tls === "implicit" ? 465 : 587),
    secure: tls === "implicit",
    requireTLS: tls === "starttls",
    ignoreTLS: tls === "none",
    ...(user === undefined || password === undefined ? {} : { auth: { user, pass: password } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const lines = Object.entries(facts).map(([name, value]) => `${name}: ${value}`);
  try {
    await transport.sendMail({
      from,
      to: [...to],
      subject: title,
      text: [text, "", `at: ${at}`, ...lines, ""].join("\n"),
      messageId: `<${deliveryId}@lc2>`,
      headers: { "Auto-Submitted": "auto-generated" },
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Failure("notification-failed", `The mail server ${host} did not take it: ${reason}`, {
      cause,
      retry: "backoff",
    });
  } finally {
    transport.close();
  }
}
