import { Type } from "typebox";
import { environmentRoles } from "../../core/environment/environment.ts";
import { definitionFacts } from "./definitions.ts";
import { hooks } from "./hooks.ts";
import { choice, closed, names, refer, text, yes } from "./schema.ts";
import { page, toolsMajor } from "./shared.ts";

const reference = (of: string) =>
  text(`${of}, by reference: env:NAME or file:/path on the server's machine.`);
const databaseFields = {
  url: text("postgres://user@host:port/name, without a password."),
  password: Type.Optional(reference("The password")),
  tools: toolsMajor,
};
const storageFields = {
  url: text("file:///… (of the server's machine) or s3://bucket/prefix?…"),
  credentials: Type.Optional(
    Type.Object(
      {
        accessKeyId: reference("The access key's id"),
        secretAccessKey: reference("The secret access key"),
        sessionToken: Type.Optional(reference("The session token")),
      },
      closed,
    ),
  ),
};
const name = text("Lower-case letters, digits and hyphens, at most 63.");
const optionalName = Type.Optional(text("What it is called among several; default main."));

const said = {
  description: Type.Optional(text("One line for people.")),
  region: Type.Optional(text("Where it runs.")),
  application: Type.Optional(choice(["liferay", "drupal", "bloomreach"])),
  allowedSources: Type.Optional(
    names("Environments whose backups may be restored here; absent: all backups of the project."),
  ),
  preBackupHooks: hooks("Of each backup of it, before the request's own."),
  postBackupHooks: hooks("Of each backup of it, after the request's own."),
  preRestoreHooks: hooks("Of each restore into it, before the request's own."),
  postRestoreHooks: hooks("Of each restore into it, after the request's own."),
};
const role = choice(environmentRoles);

/** PUT: the path names it. */
export const environmentChange = Type.Object(
  {
    ...said,
    role: Type.Optional(choice(environmentRoles, { default: "development" })),
    protected: Type.Optional(
      yes("A restore into it needs its plan's hash; default: true for production, else false."),
    ),
    databases: Type.Optional(
      Type.Array(Type.Object({ name: optionalName, ...databaseFields }, closed), { maxItems: 100 }),
    ),
    storages: Type.Optional(
      Type.Array(Type.Object({ name: optionalName, ...storageFields }, closed), { maxItems: 100 }),
    ),
  },
  closed,
);
export const environmentRequest = Type.Object({ name, ...environmentChange.properties }, closed);
/** A file for the command line, where name and project may be said beside it. */
export const environmentFile = Type.Object(
  { name: Type.Optional(name), projectId: Type.Optional(Type.String()), ...environmentChange.properties },
  closed,
);
export const environment = Type.Object(
  {
    projectId: Type.String(),
    name,
    ...said,
    role,
    protected: Type.Boolean(),
    databases: Type.Array(Type.Object({ name, ...databaseFields })),
    storages: Type.Array(Type.Object({ name, ...storageFields })),
    ...definitionFacts,
  },
  { $id: "Environment" },
);
export const environmentPage = Type.Object(
  { environments: Type.Array(refer(environment)), ...page },
  { $id: "EnvironmentPage" },
);

export const environmentCheckRequest = Type.Object(
  {
    purposes: Type.Optional(
      Type.Array(choice(["backup", "restore"]), {
        minItems: 1,
        maxItems: 2,
        description:
          "What it is going to be used for; default: a backup of production, a restore into others.",
      }),
    ),
  },
  closed,
);
export const environmentCheck = Type.Object(
  {
    checks: Type.Array(
      Type.Object({
        subject: text("The database, the files or the repository."),
        right: text("What was tried."),
        result: choice(["ok", "missing", "unknown"]),
        message: Type.Optional(text("Why it is not there.")),
        remedy: Type.Optional(
          Type.Array(Type.String(), {
            description: "SQL, or statements of a bucket's policy, that give it.",
          }),
        ),
      }),
    ),
  },
  { $id: "EnvironmentCheck" },
);
