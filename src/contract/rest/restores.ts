import { Type, type Static } from "typebox";
import { longestSeconds } from "../../core/problem.ts";
import type { RestorePlan } from "../../core/restore/restore.ts";
import type { RestoreWish } from "../operations.ts";
import type { RestoreView } from "../service.ts";
import { restoreStatuses } from "../statuses.ts";
import { hookViews, restoreHookFields } from "./hooks.ts";
import { choice, closed, instant, names, openObject, refer, text, whole, yes } from "./schema.ts";
import {
  failureRecord,
  page,
  instance,
  placeOfRepository,
  queue,
  toolsMajor,
  transfers,
  conditions,
} from "./shared.ts";

const restoreTypes = ["full", "database-only", "storage-only", "selective"] as const;

const restoreFields = {
  backupId: text("The backup to restore, or `latest`: the newest that is usable for the target."),
  environment: Type.Optional(text("With `latest`: only backups of this environment.")),
  pointInTime: Type.Optional(instant("With `latest`: the newest at or before it.")),
  targetEnvironment: Type.Optional(
    text("Restore into this environment of the project; else name the places."),
  ),
  restoreType: Type.Optional(choice(restoreTypes, { default: "full" })),
  database: Type.Optional(
    Type.Object(
      {
        url: Type.Optional(text("Target, postgres://user@host:port/name, without a password.")),
        instance,
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
        url: Type.Optional(text("Target, file:///… (of the server's machine) or s3://bucket/prefix?…")),
        instance,
        mode: Type.Optional(choice(["merge", "mirror"], { default: "merge" })),
        ...transfers,
      },
      closed,
    ),
  ),
  include: Type.Optional(names("Paths, globs; restoreType selective.")),
  tables: Type.Optional(names("schema.name; restoreType selective.")),
  dropAfterSeconds: Type.Optional(
    whole("Keep the database swapped out for so long.", { minimum: 0, maximum: longestSeconds }),
  ),
  ...restoreHookFields,
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
      needsApproval: Type.Optional(yes("The target is protected: only this hash lets the restore run.")),
    },
    { $id: "RestorePlan" },
  ),
);
export const restore = Type.Object(
  {
    restoreId: Type.String(),
    projectId: Type.String(),
    backupId: Type.String(),
    restoreType: Type.String(),
    targetEnvironment: Type.Optional(Type.String()),
    status: choice(restoreStatuses),
    queue: Type.Optional(refer(queue)),
    progress: whole("0 to 100.", { minimum: 0, maximum: 100 }),
    conditions,
    estimatedCompletion: Type.Optional(instant("While it runs.")),
    createdAt: instant("When it was asked for."),
    completedAt: Type.Optional(instant("When it ended.")),
    plan: Type.Optional(refer(plan)),
    database: Type.Optional(
      openObject<NonNullable<RestoreView["database"]>>("What was restored and compared."),
    ),
    files: Type.Optional(openObject<NonNullable<RestoreView["files"]>>("What was written and compared.")),
    hooks: hookViews,
    undone: Type.Optional(openObject<NonNullable<RestoreView["undone"]>>("What an undo put back.")),
    error: Type.Optional(failureRecord),
  },
  { $id: "Restore" },
);
export const restorePage = Type.Object(
  { restores: Type.Array(refer(restore)), ...page },
  { $id: "RestorePage" },
);

/** What a request asks for: what is not written has its default. */
export function toRestoreWish(
  projectId: string,
  { repository: _repository, ...wish }: Static<typeof planRequest>,
): RestoreWish {
  const { restoreType = "full", include = [], tables = [] } = wish;
  return { ...wish, projectId, restoreType, include, tables };
}
