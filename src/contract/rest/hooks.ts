import { Type } from "typebox";
import type { HookSpec } from "../../core/hooks/hook.ts";
import type { HookView } from "../service.ts";
import { choice, closed, instant, text, whole, yes } from "./schema.ts";
import { failureRecord } from "./shared.ts";

const httpCall = Type.Object(
  {
    url: text("Without credentials; one that this installation allows."),
    method: Type.Optional(choice(["GET", "POST", "PUT", "PATCH", "DELETE"], { default: "POST" })),
    headers: Type.Optional(
      Type.Record(Type.String(), Type.String(), {
        description:
          "A value env:NAME or file:/path is a reference to a secret, one that this installation allows.",
      }),
    ),
    body: Type.Optional(Type.String({ maxLength: 1_000_000 })),
    expectedStatus: Type.Optional(
      Type.Array(Type.Integer(), { maxItems: 50, description: "Default: any 2xx." }),
    ),
  },
  closed,
);
const actionFields = {
  command: Type.Optional(
    text("A command that this installation allows, as its hooks file names it; no shell reads it."),
  ),
  http: Type.Optional(httpCall),
  sql: Type.Optional(text("Statements on the request's database, if this installation allows them.")),
};

/** One of the three actions; which of them is checked where everything of a request is. */
const hook = Type.Unsafe<HookSpec>(
  Type.Object(
    {
      name: text("Unique in the request."),
      ...actionFields,
      timeout: Type.Optional(whole("Seconds for one try.", { default: 300 })),
      onError: Type.Optional(
        choice(["fail", "continue"], { description: "Default: fail; after a backup: continue." }),
      ),
      retries: Type.Optional(whole("Further tries after a failure.", { default: 0 })),
      idempotent: Type.Optional(yes("It may run again when nobody knows whether it ran.")),
      runOn: Type.Optional(
        choice(["success", "failure", "always"], {
          default: "success",
          description: "Of hooks afterwards: when they run.",
        }),
      ),
      storeArtifact: Type.Optional(yes("Keep what is at artifactPath in the backup.")),
      artifactPath: Type.Optional(text("Absolute path of a file or a folder.")),
      undo: Type.Optional(
        Type.Object(actionFields, {
          ...closed,
          description: "What takes the hook's effect back; it is then held until the data are read.",
        }),
      ),
      maximumHold: Type.Optional(whole("Seconds after which it is undone in any case.", { default: 3600 })),
    },
    closed,
  ),
);

export const hooks = (description: string) => Type.Optional(Type.Array(hook, { maxItems: 50, description }));

/** What a file says of a request's hooks: alone, or as a whole request has it (§4), where the rest is not read. */
export const backupHookFields = {
  preBackupHooks: hooks("Run in this order before anything is read."),
  postBackupHooks: hooks("Run in this order when it is known how it ended."),
};
export const backupHooksFile = Type.Object({
  ...backupHookFields,
  spec: Type.Optional(
    Type.Object({
      ...backupHookFields,
      database: Type.Optional(Type.Object({ preBackupHooks: backupHookFields.preBackupHooks })),
    }),
  ),
});
export const restoreHookFields = {
  preRestoreHooks: hooks("Run in this order when the plan is approved, before anything is changed."),
  postRestoreHooks: hooks("Run in this order when what was restored is in its place, or will not be."),
};
export const restoreHooksFile = Type.Object({
  ...restoreHookFields,
  spec: Type.Optional(Type.Object(restoreHookFields)),
});

const hookRun = {
  status: choice(["Pending", "InProgress", "Holding", "Completed", "Failed", "Unknown"]),
  error: Type.Optional(failureRecord),
};
/** How the hooks of an operation went. */
export const hookViews = Type.Optional(
  Type.Unsafe<readonly HookView[]>(
    Type.Array(
      Type.Object({
        name: Type.String(),
        kind: choice(["command", "http", "sql"]),
        when: choice(["before", "after"]),
        ...hookRun,
        startedAt: Type.Optional(instant("When it was started.")),
        finishedAt: Type.Optional(instant("When it ended.")),
        tries: Type.Optional(Type.Integer()),
        output: Type.Optional(text("What it said, at most 64 KiB, without the secrets it was given.")),
        outputCut: Type.Optional(yes("Only the end of it is there.")),
        undo: Type.Optional(Type.Object(hookRun, { description: "Of one that holds: how undoing it went." })),
      }),
    ),
  ),
);
