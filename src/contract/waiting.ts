import type { Progress } from "./worker-task.ts";

export interface LogLine {
  readonly at: string;
  readonly level: "info" | "warn" | "error";
  readonly message: string;
}

/** What happens while a caller waits. */
export type ServiceEvent =
  | { readonly type: "accepted"; readonly id: string }
  | { readonly type: "state"; readonly status: string }
  | { readonly type: "progress"; readonly progress: Progress }
  | { readonly type: "log"; readonly line: LogLine }
  /** The project's first key was made, at this place: to be said loudly, for without it nothing can be read. */
  | { readonly type: "key-created"; readonly projectId: string; readonly place: string };

export interface Waiting {
  readonly signal: AbortSignal;
  readonly onEvent: (event: ServiceEvent) => void;
}
