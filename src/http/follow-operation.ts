import { setTimeout as sleep } from "node:timers/promises";
import type { LogLine, QueueView } from "../contract/service.ts";
import { Failure } from "../core/failure.ts";
import type { EventStream } from "./event-stream.ts";

/** Whoever carries it out, here or elsewhere, records its progress about once a second. */
const lookMs = 500;
const ended: readonly string[] = ["Completed", "Failed", "Cancelled"];

/** What is read of a view to tell whether it changed, and ended. */
export interface Followed {
  readonly status: string;
  readonly progress?: number;
  readonly queue?: QueueView;
}

/** Tells what changes about an operation until its end, by the catalog: it may run in any process. */
export async function followOperation<T extends Followed>(
  stream: EventStream,
  first: T,
  look: { readonly read: () => Promise<T>; readonly readLog: () => Promise<readonly LogLine[]> },
): Promise<void> {
  let view = first;
  let told = "";
  let said = new Set<string>();
  while (!stream.signal.aborted) {
    const lines = await look.readLog().catch(() => []);
    for (const line of lines) if (!said.has(keyOf(line))) stream.send("log", line);
    said = new Set(lines.map(keyOf));
    if (ended.includes(view.status)) {
      stream.send("end", view);
      break;
    }
    const state = `${view.status} ${view.progress ?? ""} ${JSON.stringify(view.queue)}`;
    if (state !== told) stream.send("state", view);
    told = state;
    await sleep(lookMs, undefined, { signal: stream.signal }).catch(() => undefined);
    view = await look.read().catch((error: unknown) => {
      // Away for a moment is no reason to stop following; gone is.
      if (Failure.from(error).kind === "not-found") return { ...view, status: "Cancelled" };
      return view;
    });
  }
  stream.end();
}

const keyOf = ({ at, level, message }: LogLine): string => `${at} ${level} ${message}`;
