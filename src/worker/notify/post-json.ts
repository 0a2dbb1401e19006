import { Failure } from "../../core/failure.ts";

const timeoutMs = 15_000;
const gone = 410;

/**
 * Posts and expects a 2xx. Follows no redirection. The URL may hold a secret, so a failure names only where it goes.
 * Rejects with `notification-failed`, `retry: never` on 410: the receiver asks for no more.
 */
export async function postJson(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const place = URL.canParse(url) ? new URL(url).origin : undefined;
  if (place === undefined || !/^https?:/.test(url))
    throw new Failure("notification-failed", "The receiver's URL is none, or not http.", { retry: "never" });
  const answer = await fetch(url, {
    method: "POST",
    redirect: "manual",
    headers: { "content-type": "application/json", "user-agent": "lc2", ...headers },
    body,
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  }).catch((cause: unknown) => {
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    const reason = inner instanceof Error ? inner.message : "no reason given";
    throw new Failure("notification-failed", `${place} gave no answer: ${reason}.`, {
      cause,
      retry: "backoff",
    });
  });
  await answer.body?.cancel();
  if (answer.ok) return;
  throw new Failure("notification-failed", `${place} answered ${answer.status} instead of a 2xx.`, {
    retry: answer.status === gone ? "never" : "backoff",
  });
}
