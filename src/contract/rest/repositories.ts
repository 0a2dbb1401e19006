import { Type } from "typebox";
import { choice, closed, refer, text, whole, yes } from "./schema.ts";
import { damages } from "./backups.ts";
import type { ScanRepositoryResult } from "../worker-task.ts";

const repository = Type.Optional(
  text("file:///… (of the server's machine) or s3://bucket/prefix?…; absent: the server's own."),
);
const projectId = Type.Optional(text("Only what is of this project."));

export const checkRequest = Type.Object(
  {
    repository,
    projectId,
    readData: Type.Optional(yes("Read and check every stored byte.")),
    subset: Type.Optional(
      Type.Object(
        {
          part: Type.Integer({ minimum: 1, maximum: 10_000 }),
          of: Type.Integer({ minimum: 1, maximum: 10_000 }),
        },
        { ...closed, description: "Read and check this part of so many." },
      ),
    ),
  },
  closed,
);
export const scanRequest = Type.Object(
  { repository, projectId, dryRun: Type.Optional(yes("Say what is found, change no catalog.")) },
  closed,
);
export const sweepRequest = Type.Object(
  {
    repository,
    dryRun: Type.Optional(yes("Say what would be removed, remove nothing.")),
    minimumAgeSeconds: Type.Optional(
      Type.Number({
        minimum: 0,
        default: 86_400,
        description: "Leave what is younger; a backup may be writing it.",
      }),
    ),
  },
  closed,
);
export const probeRequest = Type.Object({ repository }, closed);
export const copyTargetRequest = Type.Object(
  { repository, to: Type.Optional(text("Where backups are copied to; absent: nowhere any more.")) },
  closed,
);

const place = { repository: text("Canonical URL.") };
const copyTo = Type.Optional(text("Where backups of this repository are copied to."));
export const repositoryCheck = Type.Object(
  {
    ...place,
    copyTo,
    backups: Type.Integer(),
    files: Type.Integer(),
    bytesRead: Type.Integer(),
    damages,
    leftovers: Type.Array(
      Type.Object({ name: Type.String(), sizeBytes: Type.Integer(), ageSeconds: Type.Number() }),
      { description: "What a sweep would remove; no damage." },
    ),
  },
  { $id: "RepositoryCheck" },
);
export const repositoryScan = Type.Object(
  {
    ...place,
    repositoryId: Type.String(),
    copyTo,
    backups: Type.Unsafe<ScanRepositoryResult["backups"]>({
      type: "array",
      items: { type: "object" },
      description: "metadata.json of each, as it was sealed.",
    }),
    unsealed: Type.Integer(),
    carried: whole("Folders that are no backups but hold what sealed ones refer to."),
    incomplete: Type.Array(Type.Object({ backupId: Type.String(), missing: Type.Array(Type.String()) })),
    definitions: Type.Unsafe<ScanRepositoryResult["definitions"]>({
      type: "array",
      items: { type: "object" },
      description: "What people defined that was brought into the catalog.",
    }),
    notes: Type.Array(Type.String()),
  },
  { $id: "RepositoryScan" },
);
export const repositorySweep = Type.Object(
  {
    ...place,
    deletedFiles: Type.Integer(),
    deletedBytes: Type.Integer(),
    keptYoung: Type.Integer(),
    removed: Type.Array(Type.String()),
  },
  { $id: "RepositorySweep" },
);
const capability = Type.Object(
  { name: Type.String(), answer: choice(["yes", "no", "unknown"]), sentence: Type.String() },
  { $id: "StoreCapability" },
);
export const repositoryProbe = Type.Object(
  {
    ...place,
    repositoryFound: yes("There is a repository already."),
    capabilities: Type.Array(refer(capability)),
  },
  { $id: "RepositoryProbe" },
);
export const copyTarget = Type.Object({ ...place, copyTo }, { $id: "CopyTarget" });

export const repositoryAnswers = [
  repositoryCheck,
  repositoryScan,
  repositorySweep,
  capability,
  repositoryProbe,
  copyTarget,
];
