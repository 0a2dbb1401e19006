/** What a backup holds, and copies of it. */
import { Type } from "typebox";
import { copyStatuses } from "../statuses.ts";
import { choice, closed, instant, refer, text, yes } from "./schema.ts";
import { encryptionWish, failureRecord, page, placeOfRepository, queue } from "./shared.ts";

/** Where a backup is looked for. */
export const placeQuery = Type.Object({ repository: placeOfRepository }, closed);
export const contentsQuery = Type.Object(
  {
    repository: placeOfRepository,
    pattern: Type.Optional(
      text("Only paths, or schema.table, that match: `*` within a folder, `**` across folders."),
    ),
  },
  closed,
);
export const downloadQuery = Type.Object(
  {
    repository: placeOfRepository,
    path: text("A file as `…/contents` lists it, or `database/NAME.dump`.", { minLength: 1 }),
  },
  closed,
);

export const copyRequest = Type.Object(
  {
    to: Type.Optional(text("Repository to copy into; absent: the one that its own names.")),
    maxRateBytesPerSecond: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, description: "Read at most so much." }),
    ),
    ...encryptionWish,
  },
  closed,
);
const amount = Type.Object({ files: Type.Integer(), sizeBytes: Type.Integer() });
export const copy = Type.Object(
  {
    copyId: Type.String(),
    backupId: Type.String(),
    projectId: Type.String(),
    from: Type.String(),
    to: Type.String(),
    status: choice(copyStatuses),
    queue: Type.Optional(refer(queue)),
    wasThere: Type.Optional(yes("It was there already, whole: nothing was done.")),
    repositoryCreated: Type.Optional(Type.Boolean()),
    copied: Type.Optional(amount),
    found: Type.Optional(amount),
    earlierBackups: Type.Optional(
      Type.Array(Type.String(), { description: "Some of whose stored files came along." }),
    ),
    createdAt: instant("When it was asked for."),
    completedAt: Type.Optional(instant("When it ended.")),
    error: Type.Optional(failureRecord),
  },
  { $id: "Copy" },
);
export const copyPage = Type.Object({ copies: Type.Array(refer(copy)), ...page }, { $id: "CopyPage" });
export const backupSteps = Type.Object(
  { dryRun: Type.Boolean(), steps: Type.Array(Type.String()) },
  { $id: "BackupSteps" },
);
