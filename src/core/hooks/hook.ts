/**
 * Something of the user's own that runs beside a backup or a restore: exactly one of `command`, `http` and `sql`.
 * Field names are those of the request; times are in seconds, as its examples have them.
 */
export interface HookSpec extends HookAction {
  /** Unique in its request; names the hook's task and the folder of its artifact. */
  readonly name: string;
  /** Seconds that one try may take. Default: 300. */
  readonly timeout?: number;
  /**
   * `fail`: the operation fails when the hook does. Default: `fail`; of a hook after a backup `continue`, because what
   * is stored stays.
   */
  readonly onError?: "fail" | "continue";
  /** Further tries after one that failed. Default: 0. */
  readonly retries?: number;
  /** It may run again when nobody knows whether it ran: its worker died. Default: false. */
  readonly idempotent?: boolean;
  /** Of hooks afterwards: when they run. A cancellation is a failure here. Default: `success`. */
  readonly runOn?: "success" | "failure" | "always";
  /** Keep what is at `artifactPath`, a file or a folder, in the backup. */
  readonly storeArtifact?: boolean;
  readonly artifactPath?: string;
  /**
   * What takes the hook's effect back, such as maintenance mode off. A hook with an `undo` holds: its effect lasts until
   * the data are read (of a restore: until its end), is undone whatever happens meanwhile, and after `maximumHold` seconds.
   * It must be harmless to do twice, or without the hook's effect.
   */
  readonly undo?: HookAction;
  /** Default: 3600. */
  readonly maximumHold?: number;
}

/** One thing to do: exactly one of the three. */
export interface HookAction {
  /** Program and arguments, in words as a shell would take them apart; no shell reads it. */
  readonly command?: string;
  readonly http?: HttpCall;
  /** One or several statements, on the database of the request. */
  readonly sql?: string;
}

export interface HttpCall {
  /** Without credentials. */
  readonly url: string;
  /** Default: POST. */
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** A value `env:NAME` or `file:/path` is a reference to a secret. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Default: any 2xx. */
  readonly expectedStatus?: readonly number[];
}

export type HookKind = "command" | "http" | "sql";

export const kindOf = ({ command, http }: HookAction): HookKind =>
  command !== undefined ? "command" : http !== undefined ? "http" : "sql";

export const defaultTimeoutSeconds = 300;
export const defaultHoldSeconds = 3_600;

/** What of a request runs before and after the work itself. */
export interface Hooks {
  readonly before: readonly HookSpec[];
  readonly after: readonly HookSpec[];
}

/** Whether this is one of the hooks afterwards. */
export const runsAfter = ({ after }: Hooks, hook: HookSpec): boolean =>
  after.some(({ name }) => name === hook.name);

/** How a hook's run went; a worker's answer. */
export interface HookResult {
  /** What it said, its end where it was too long, with secrets left out. */
  readonly output: string;
  readonly outputCut?: true;
  readonly tries: number;
  readonly durationMs: number;
}
