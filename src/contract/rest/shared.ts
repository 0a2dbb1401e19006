/** What requests and answers of several nouns have in common. */
import { Type } from "typebox";
import { failures } from "../../core/failure.ts";
import { choice, closed, instant, text, whole, yes } from "./schema.ts";

export const placeOfRepository = Type.Optional(
  text("Repository, file:///… or s3://bucket/prefix?…; absent: the server's own, or where the backup is."),
);
export const instance = Type.Optional(text("Its name in the environment; absent: the only one there."));
/** No folder: a caller far away must not choose which program this machine starts. */
export const toolsMajor = Type.Optional(
  text("Major version of the PostgreSQL client tools.", { pattern: "^[1-9][0-9]{0,2}$" }),
);
export const transfers = {
  maxConcurrency: Type.Optional(whole("Most transfers at a time, 1 to 256.")),
  parallelTransfer: Type.Optional(yes("false: one transfer at a time.")),
};

export const limit = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 1000, default: 50, description: "Most entries of the page." }),
);
export const cursor = Type.Optional(text("nextCursor of the page before.", { maxLength: 200 }));
/** Which page of a list. */
export const pageQuery = Type.Object({ limit, cursor }, closed);
/** Of an answer with some of many. */
export const page = {
  total: whole("Of all pages."),
  nextCursor: Type.Optional(text("Of the page that follows.")),
};

export const failureCode = choice(Object.keys(failures) as (keyof typeof failures)[]);
export const failureRecord = Type.Object({
  code: failureCode,
  message: Type.String(),
  retry: choice(["never", "backoff"]),
  retryAfterMs: Type.Optional(whole("How long whoever was asked wants to be left alone.")),
  store: Type.Optional(text("The store that is away or asks to slow down.")),
});

export const conditions = Type.Optional(
  Type.Array(
    Type.Object({
      type: choice(["Stalled"]),
      since: instant("Since when."),
      message: Type.String(),
    }),
    { description: "What is remarkable about it while it runs." },
  ),
);

export const queue = Type.Object(
  {
    waitsSince: instant("When it was asked for."),
    position: Type.Optional(whole("From 1, among those of its kind that wait; absent: about to begin.")),
    of: Type.Optional(whole("How many of its kind wait.")),
    behind: Type.Optional(
      Type.Object(
        { id: Type.String(), projectId: Type.String() },
        { description: "What comes before it; absent where that is of a project the caller may not see." },
      ),
    ),
    reason: text("Why it waits."),
  },
  { $id: "QueuePlace" },
);

export const log = Type.Object(
  {
    lines: Type.Array(
      Type.Object({
        at: instant("When it was said."),
        level: choice(["info", "warn", "error"]),
        message: Type.String(),
      }),
    ),
  },
  { $id: "Log" },
);

/** Who encrypts in the repository that a request writes to. */
export const encryptionWish = {
  encryption: Type.Optional(
    choice(["client", "server"], {
      description:
        "Who encrypts in the repository: lc2 (client), or the store (server). Decided when the repository is made; " +
        "left out, it is as it was made.",
    }),
  ),
  kmsKey: Type.Optional(text("Of server: id, ARN or alias of the key in the store's key service.")),
};
