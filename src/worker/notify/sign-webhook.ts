import { createHmac } from "node:crypto";

/**
 * The headers of Standard Webhooks (specification 1.0, symmetric): HMAC-SHA256 over id, timestamp (seconds) and body
 * with points between, base64, as `v1,…`. A secret that begins with `whsec_` is base64 of the key; any other is the key.
 */
export function signWebhook(
  id: string,
  timestamp: number,
  body: string,
  secret: string,
): Readonly<Record<string, string>> {
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret);
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": String(timestamp), "webhook-signature": `v1,${signature}` };
}
