import { Type, type Static } from "typebox";
import type { BackupMetadata } from "../../core/repository/metadata.ts";
import type { BackupWish } from "../operations.ts";
import { backupStatuses } from "../statuses.ts";
import { backupHookFields, hookViews, hooks } from "./hooks.ts";
import { choice, closed, instant, names, refer, text, whole, yes } from "./schema.ts";
import {
  cursor,
  encryptionWish,
  failureCode,
  failureRecord,
  instance,
  limit,
  page,
  placeOfRepository,
  queue,
  toolsMajor,
  transfers,
  conditions,
} from "./shared.ts";

export const backupRequest = Type.Object(
  {
    environment: Type.Optional(text("Back up this environment of the project; else name the places.")),
    only: Type.Optional(
      choice(["database", "storage"], { description: "Of an environment: only this part." }),
    ),
    application: Type.Optional(choice(["liferay", "drupal", "bloomreach"])),
    provider: Type.Optional(choice(["aws", "gcp", "azure", "local"], { default: "local" })),
    database: Type.Optional(
      Type.Object(
        {
          url: Type.Optional(text("postgres://user@host:port/name, without a password.")),
          instance,
          excludeTables: Type.Optional(names("Tables whose rows are left out; globs.")),
          streams: Type.Optional(whole("Parallel archives on one snapshot, 1 to 64.")),
          tools: toolsMajor,
          fromStandby: Type.Optional(yes("The server is a standby, and that is wanted.")),
          lockTimeoutMs: Type.Optional(whole("How long the dump waits for a lock.")),
          preBackupHooks: hooks("The same as beside the database."),
        },
        closed,
      ),
    ),
    storage: Type.Optional(
      Type.Object(
        {
          url: Type.Optional(text("file:///… (of the server's machine) or s3://bucket/prefix?…")),
          instance,
          excludeGeneratedFiles: Type.Optional(yes("Leave out what the application makes again by itself.")),
          excludePatterns: Type.Optional(names("Files left out; globs.")),
          excludePaths: Type.Optional(names("Files and folders left out.")),
          includePaths: Type.Optional(names("Only these files and folders.")),
          maxShrink: Type.Optional(
            Type.Number({
              description: "Refuse when the source lost more than this share, 0 to 1.",
              default: 0.5,
            }),
          ),
          verifySource: Type.Optional(yes("List the source again at the end and compare.")),
          rehash: Type.Optional(yes("Read and store every file again.")),
          allowUnreadable: Type.Optional(yes("Leave out, and name, what cannot be read.")),
          ...transfers,
        },
        closed,
      ),
    ),
    ...backupHookFields,
    repository: placeOfRepository,
    ...encryptionWish,
    maxRateBytesPerSecond: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, description: "Read at most so much from the source." }),
    ),
  },
  closed,
);

export const verifyRequest = Type.Object(
  {
    restoreInto: Type.Optional(
      text("postgres://…: also restore into a scratch database there, compare, and drop it."),
    ),
  },
  closed,
);

const dayOrInstant = (description: string) =>
  Type.Optional(
    text(`${description} A day (2025-11-01, UTC) or an instant.`, {
      pattern: "^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?(Z|[+-]\\d{2}:\\d{2}))?$",
    }),
  );
export const backupListQuery = Type.Object(
  {
    application: Type.Optional(text("Only of this application.")),
    environment: Type.Optional(text("Only of this environment.")),
    status: Type.Optional(choice(backupStatuses)),
    startDate: dayOrInstant("Made at or after."),
    endDate: dayOrInstant("Made at or before; a day counts whole."),
    repository: Type.Optional(text("Only what is in this repository.")),
    limit,
    cursor,
  },
  closed,
);
export const deleteQuery = Type.Object(
  {
    repository: placeOfRepository,
    dryRun: Type.Optional(yes("Say what would be deleted, delete nothing.")),
  },
  closed,
);

const summaryFields = {
  backupId: Type.String(),
  projectId: Type.String(),
  application: Type.Optional(Type.String()),
  environment: Type.Optional(text("What it is a backup of.")),
  status: choice(backupStatuses),
  size: Type.Optional(whole("Stored bytes.")),
  createdAt: instant("When it was asked for."),
  completedAt: Type.Optional(instant("When it ended.")),
  verifiedAt: Type.Optional(instant("When it was last found whole.")),
  repository: Type.String(),
  schedule: Type.Optional(
    Type.Object({
      name: text("The schedule that asked for it."),
      slot: instant("The time of the schedule that it stands for."),
    }),
  ),
};
export const backupSummary = Type.Object(summaryFields, { $id: "BackupSummary" });
export const backup = Type.Object(
  {
    ...summaryFields,
    requestId: text("Correlates everything that is said about the request."),
    components: Type.Object({
      database: Type.Optional(
        Type.Object({
          dump: Type.Optional(Type.String()),
          name: Type.Optional(Type.String()),
          rows: Type.Optional(Type.Integer()),
          tables: Type.Optional(Type.Integer()),
          status: Type.String(),
        }),
      ),
      storage: Type.Optional(
        Type.Object({
          location: Type.Optional(Type.String()),
          objects: Type.Optional(Type.Integer()),
          status: Type.String(),
        }),
      ),
    }),
    progress: Type.Optional(whole("0 to 100; absent while nobody knows.")),
    conditions,
    queue: Type.Optional(refer(queue)),
    error: Type.Optional(failureRecord),
    hooks: hookViews,
    alsoIn: Type.Optional(Type.Array(Type.String())),
    metadata: Type.Optional(
      Type.Unsafe<BackupMetadata>({ type: "object", description: "metadata.json, as it was sealed." }),
    ),
  },
  { $id: "Backup" },
);
export const backupPage = Type.Object(
  { backups: Type.Array(refer(backupSummary)), ...page },
  { $id: "BackupPage" },
);

export const damages = Type.Array(
  Type.Object({
    code: failureCode,
    backupId: Type.Optional(Type.String()),
    name: Type.String(),
    message: Type.String(),
  }),
);
export const verification = Type.Object(
  {
    files: Type.Integer(),
    storedBytes: Type.Integer(),
    plainBytes: Type.Integer(),
    objects: Type.Integer(),
    damages,
    restored: Type.Optional(
      Type.Object({
        database: Type.String(),
        tables: Type.Integer(),
        rows: Type.Integer(),
        differences: Type.Array(Type.String()),
      }),
    ),
  },
  { $id: "Verification" },
);
export const deletion = Type.Object(
  {
    keyringDestroyed: Type.Boolean(),
    deletedFiles: Type.Integer(),
    deletedBytes: Type.Integer(),
    keptFiles: Type.Integer(),
    keptBytes: Type.Integer(),
    filesKeyHeldBy: Type.Array(Type.String()),
  },
  { $id: "Deletion" },
);

/** What a request asks for. `provider` other than `local` is the caller's to refuse. */
export function toBackupWish(
  projectId: string,
  {
    provider: _provider,
    repository: _repository,
    maxRateBytesPerSecond: _rate,
    ...wish
  }: Static<typeof backupRequest>,
): BackupWish {
  const { database, hooks: ofDatabase } = withoutHooks(wish.database);
  const preBackupHooks = [...(wish.preBackupHooks ?? []), ...ofDatabase];
  return {
    ...wish,
    ...(database === undefined ? {} : { database }),
    ...(preBackupHooks.length === 0 ? {} : { preBackupHooks }),
    projectId,
    provider: "local",
  };
}

/** §4 has hooks beside the database, which they do not belong to. */
function withoutHooks(wish: Static<typeof backupRequest>["database"]) {
  if (wish === undefined) return { database: undefined, hooks: [] };
  const { preBackupHooks = [], ...database } = wish;
  return { database, hooks: preBackupHooks };
}
