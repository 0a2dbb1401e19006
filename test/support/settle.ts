import { until } from "./until.ts";

/**
 * Lets so much time pass that an object written before counts as settled when it is read: two and a half seconds, one
 * more as stores tell their time to the second, and what a busy machine takes to read a store's answer.
 */
export async function settle(): Promise<void> {
  const writtenMs = Date.now();
  await until("what was written counts as settled", () => Date.now() - writtenMs > 7_000);
}
