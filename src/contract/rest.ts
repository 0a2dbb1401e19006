/**
 * REST, `/api/v1`: every shape that goes over the wire, once. The server checks requests by these schemas, types
 * come from them, and the OpenAPI document is made of them. Fields are those of §7 of the requirements, and more.
 */
import { Type, type Static, type TSchema } from "typebox";
import { failures } from "../core/failure.ts";
import type { BackupMetadata } from "../core/repository/metadata.ts";
import type { RestorePlan } from "../core/restore/restore.ts";
import type { RestoreView } from "./service.ts";
import type { BackupSpec, RestoreSpec } from "./operations.ts";

const closed = { additionalProperties: false };
const choice = <const T extends readonly string[]>(values: T, options: object = {}) =>
  Type.Unsafe<T[number]>({ type: "string", enum: [...values], ...options });
const instant = (description: string) => Type.String({ format: "date-time", description });
const text = (description: string, options: object = {}) => Type.String({ description, ...options });
const names = (description: string) => Type.Array(Type.String(), { description, maxItems: 1000 });
/** A named shape, by its name. */
const refer = <T extends TSchema>(schema: T) =>
  Type.Unsafe<Static<T>>({ $ref: `${"$id" in schema ? String(schema.$id) : ""}#` });
const yes = (description: string) => Type.Boolean({ description });
const whole = (description: string, options: object = {}) => Type.Integer({ description, ...options });

const backupStatuses = [
  "Queued",
  "Pending",
  "ExportInProgress",
  "TransferInProgress",
  "GeneratingMetadata",
  "Completed",
  "Failed",
  "Cancelled",
] as const;
const restoreStatuses = [
  "Queued",
  "Pending",
  "ValidatingBackup",
  "RestoringDump",
  "RestoringStorage",
  "Completed",
  "Failed",
  "Cancelled",
] as const;
const restoreTypes = ["full", "database-only", "storage-only", "selective"] as const;

// --- requests ---------------------------------------------------------------------------------------

const placeOfRepository = Type.Optional(
  text("Repository, file:///… or s3://bucket/prefix?…; absent: the server's own, or where the backup is."),
);
/** No folder: a caller far away must not choose which program this machine starts. */
const toolsMajor = Type.Optional(
  text("Major version of the PostgreSQL client tools.", { pattern: "^[1-9][0-9]{0,2}$" }),
);
const transfers = {
  maxConcurrency: Type.Optional(whole("Most transfers at a time, 1 to 256.")),
  parallelTransfer: Type.Optional(yes("false: one transfer at a time.")),
};

export const backupRequest = Type.Object(
  {
    application: Type.Optional(choice(["liferay", "drupal", "bloomreach"])),
    provider: Type.Optional(choice(["aws", "gcp", "azure", "local"], { default: "local" })),
    database: Type.Optional(
      Type.Object(
        {
          url: text("postgres://user@host:port/name, without a password."),
          excludeTables: Type.Optional(names("Tables whose rows are left out; globs.")),
          streams: Type.Optional(whole("Parallel archives on one snapshot, 1 to 64.")),
          tools: toolsMajor,
          fromStandby: Type.Optional(yes("The server is a standby, and that is wanted.")),
          lockTimeoutMs: Type.Optional(whole("How long the dump waits for a lock.")),
        },
        closed,
      ),
    ),
    storage: Type.Optional(
      Type.Object(
        {
          url: text("file:///… (of the server's machine) or s3://bucket/prefix?…"),
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
    repository: placeOfRepository,
    maxRateBytesPerSecond: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, description: "Read at most so much from the source." }),
    ),
  },
  closed,
);

const restoreFields = {
  backupId: text("The backup to restore."),
  restoreType: Type.Optional(choice(restoreTypes, { default: "full" })),
  database: Type.Optional(
    Type.Object(
      {
        url: text("Target, postgres://user@host:port/name, without a password."),
        into: Type.Optional(choice(["swap", "new", "empty", "in-place"])),
        tools: toolsMajor,
        jobs: Type.Optional(whole("Parallel jobs, 1 to 64.")),
        createRoles: Type.Optional(yes("Make roles that are missing.")),
        endSessions: Type.Optional(yes("End other sessions for the swap; default true.")),
        noOwner: Type.Optional(yes("Everything belongs to the connecting role.")),
      },
      closed,
    ),
  ),
  storage: Type.Optional(
    Type.Object(
      {
        url: text("Target, file:///… (of the server's machine) or s3://bucket/prefix?…"),
        mode: Type.Optional(choice(["merge", "mirror"], { default: "merge" })),
        ...transfers,
      },
      closed,
    ),
  ),
  include: Type.Optional(names("Paths, globs; restoreType selective.")),
  tables: Type.Optional(names("schema.name; restoreType selective.")),
  dropAfterSeconds: Type.Optional(Type.Number({ description: "Keep the database swapped out for so long." })),
  repository: placeOfRepository,
};
export const planRequest = Type.Object(restoreFields, closed);
export const restoreRequest = Type.Object(
  {
    ...restoreFields,
    approvedPlan: Type.Optional(text("Hash of the plan that may be run; another one is refused (412).")),
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

const limit = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 1000, default: 50, description: "Most entries of the page." }),
);
const cursor = Type.Optional(text("nextCursor of the page before.", { maxLength: 200 }));
const dayOrInstant = (description: string) =>
  Type.Optional(
    text(`${description} A day (2025-11-01, UTC) or an instant.`, {
      pattern: "^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?(Z|[+-]\\d{2}:\\d{2}))?$",
    }),
  );
export const backupListQuery = Type.Object(
  {
    application: Type.Optional(text("Only of this application.")),
    status: Type.Optional(choice(backupStatuses)),
    startDate: dayOrInstant("Made at or after."),
    endDate: dayOrInstant("Made at or before; a day counts whole."),
    repository: Type.Optional(text("Only what is in this repository.")),
    limit,
    cursor,
  },
  closed,
);
export const restoreListQuery = Type.Object({ limit, cursor }, closed);
export const deleteQuery = Type.Object(
  { dryRun: Type.Optional(Type.Boolean({ description: "Say what would be deleted, delete nothing." })) },
  closed,
);

// --- answers ----------------------------------------------------------------------------------------

const failureCode = choice(Object.keys(failures) as (keyof typeof failures)[]);
const failureRecord = Type.Object({
  code: failureCode,
  message: Type.String(),
  retry: choice(["never", "backoff"]),
});

const summaryFields = {
  backupId: Type.String(),
  projectId: Type.String(),
  application: Type.Optional(Type.String()),
  status: choice(backupStatuses),
  size: Type.Optional(whole("Stored bytes.")),
  createdAt: instant("When it was asked for."),
  completedAt: Type.Optional(instant("When it ended.")),
  verifiedAt: Type.Optional(instant("When it was last found whole.")),
  repository: Type.String(),
};
const queue = Type.Object(
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
const backupSummary = Type.Object(summaryFields, { $id: "BackupSummary" });
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
    queue: Type.Optional(refer(queue)),
    error: Type.Optional(failureRecord),
    alsoIn: Type.Optional(Type.Array(Type.String())),
    metadata: Type.Optional(
      Type.Unsafe<BackupMetadata>({ type: "object", description: "metadata.json, as it was sealed." }),
    ),
  },
  { $id: "Backup" },
);
export const plan = Type.Unsafe<RestorePlan>(
  Type.Object(
    {
      restoreId: Type.String(),
      projectId: Type.String(),
      backupId: Type.String(),
      restoreType: choice(restoreTypes),
      recoveryPoint: Type.Optional(Type.String()),
      database: Type.Optional(
        Type.Object({ url: Type.String(), into: Type.String(), target: Type.String() }),
      ),
      files: Type.Optional(Type.Object({ url: Type.String(), mode: Type.String() })),
      blockers: Type.Array(Type.Object({ code: Type.String(), message: Type.String() })),
      warnings: Type.Array(Type.String()),
      steps: Type.Array(Type.String()),
      hash: text("Approve the plan by it."),
    },
    { $id: "RestorePlan" },
  ),
);
const openObject = <T>(description: string) => Type.Unsafe<T>({ type: "object", description });
export const restore = Type.Object(
  {
    restoreId: Type.String(),
    projectId: Type.String(),
    backupId: Type.String(),
    restoreType: Type.String(),
    status: choice(restoreStatuses),
    queue: Type.Optional(refer(queue)),
    progress: whole("0 to 100.", { minimum: 0, maximum: 100 }),
    estimatedCompletion: Type.Optional(instant("While it runs.")),
    createdAt: instant("When it was asked for."),
    completedAt: Type.Optional(instant("When it ended.")),
    plan: Type.Optional(refer(plan)),
    database: Type.Optional(
      openObject<NonNullable<RestoreView["database"]>>("What was restored and compared."),
    ),
    files: Type.Optional(openObject<NonNullable<RestoreView["files"]>>("What was written and compared.")),
    undone: Type.Optional(openObject<NonNullable<RestoreView["undone"]>>("What an undo put back.")),
    error: Type.Optional(failureRecord),
  },
  { $id: "Restore" },
);
export const problem = Type.Object(
  {
    type: text("urn:lc2:problem: and the code."),
    title: Type.String(),
    status: Type.Integer(),
    detail: text("What failed, on which thing, and what to do next."),
    instance: text("The path that was asked for."),
    code: text("Stable; docs/reference/errors.md lists them."),
    retry: choice(["never", "backoff"]),
    correlationId: Type.String(),
    problems: Type.Optional(
      Type.Array(Type.Object({ code: Type.String(), field: Type.String(), message: Type.String() }), {
        description: "Everything that is wrong with the request, at once.",
      }),
    ),
  },
  { $id: "Problem" },
);
export type ProblemDocument = Static<typeof problem>;

const damages = Type.Array(
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
const page = { total: whole("Of all pages."), nextCursor: Type.Optional(text("Of the page that follows.")) };
export const backupPage = Type.Object(
  { backups: Type.Array(refer(backupSummary)), ...page },
  { $id: "BackupPage" },
);
export const restorePage = Type.Object(
  { restores: Type.Array(refer(restore)), ...page },
  { $id: "RestorePage" },
);
export const health = Type.Object(
  {
    status: choice(["ready", "degraded", "unready"]),
    dependencies: Type.Array(
      Type.Object({ name: Type.String(), status: choice(["ok", "degraded", "down"]) }),
    ),
  },
  { $id: "Health" },
);

/** Every named shape of an answer, as the OpenAPI document lists them. */
export const answers: readonly TSchema[] = [
  queue,
  backupSummary,
  backup,
  backupPage,
  plan,
  restore,
  restorePage,
  verification,
  deletion,
  log,
  health,
  problem,
];

// --- between wire and engine ------------------------------------------------------------------------

/** What a request means: what is not written has its default. `provider` other than `local` is the caller's to refuse. */
export function toBackupSpec(projectId: string, wish: Static<typeof backupRequest>): BackupSpec {
  const { application, database, storage } = wish;
  return {
    projectId,
    ...(application === undefined ? {} : { application }),
    provider: "local",
    ...(database === undefined
      ? {}
      : { database: { ...database, excludeTables: database.excludeTables ?? [] } }),
    ...(storage === undefined
      ? {}
      : {
          storage: {
            ...storage,
            excludeGeneratedFiles: storage.excludeGeneratedFiles ?? false,
            excludePatterns: storage.excludePatterns ?? [],
            excludePaths: storage.excludePaths ?? [],
            includePaths: storage.includePaths ?? [],
            maxShrink: storage.maxShrink ?? 0.5,
          },
        }),
  };
}

export function toRestoreSpec(projectId: string, wish: Static<typeof planRequest>): RestoreSpec {
  const { backupId, restoreType = "full", database, storage, include, tables, dropAfterSeconds } = wish;
  return {
    projectId,
    backupId,
    restoreType,
    ...(database === undefined ? {} : { database }),
    ...(storage === undefined ? {} : { storage: { ...storage, mode: storage.mode ?? "merge" } }),
    include: include ?? [],
    tables: tables ?? [],
    ...(dropAfterSeconds === undefined ? {} : { dropAfterSeconds }),
  };
}
