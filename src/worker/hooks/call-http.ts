import { Failure } from "../../core/failure.ts";
import { allowsUrl, isSecretReference, showUrl } from "../../core/hooks/hook-policy.ts";
import type { HttpCall } from "../../core/hooks/hook.ts";
import type { HookTry } from "./hook-try.ts";

/**
 * Calls a URL, follows no redirection (it could lead anywhere), and keeps what it answers. The call carries an
 * `Idempotency-Key` made of operation, attempt and hook, the same in each try. Rejects with `hook-failed` when there is
 * no answer, or one with another status than expected.
 */
export async function callHttp(
  call: HttpCall,
  { work, output, signal }: HookTry,
  secrets: ReadonlyMap<string, string>,
): Promise<void> {
  const { url, method = "POST", headers = {}, body, expectedStatus } = call;
  if (!allowsUrl(work.policy, url))
    throw new Failure("hook-not-allowed", `Hooks may not call ${showUrl(url)} here.`);
  const sent = Object.entries(headers).map(([name, value]) => [
    name,
    isSecretReference(value) ? (secrets.get(value) ?? "") : value,
  ]);
  const answer = await fetch(url, {
    method,
    redirect: "manual",
    signal,
    headers: {
      "user-agent": "lc2",
      "idempotency-key": `${work.operationId}/${work.attempt}/${work.hook.name}`,
      "lc2-operation": work.operationId,
      ...(work.outcome === undefined ? {} : { "lc2-outcome": work.outcome }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(Object.fromEntries(sent) as Record<string, string>),
    },
    ...(body === undefined || method === "GET" ? {} : { body }),
  }).catch((cause: unknown) => {
    const reason =
      cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw new Failure("hook-failed", `${showUrl(url)} gave no answer: ${reason}.`, { cause });
  });
  for await (const piece of answer.body ?? []) output.add(piece as Uint8Array);
  const isExpected = expectedStatus === undefined ? answer.ok : expectedStatus.includes(answer.status);
  if (isExpected) return;
  const wanted = expectedStatus === undefined ? "2xx" : expectedStatus.join(", ");
  throw new Failure("hook-failed", `${showUrl(url)} answered ${answer.status}, not ${wanted}.`);
}
