import {
  validateApplication,
  validateDatabaseUrl,
  validateFilesUrl,
  validateProjectId,
} from "../backup/validate-backup.ts";
import { when, type Problem } from "../problem.ts";
import { isBucketUrl, parseBucketUrl } from "../files/bucket-url.ts";
import { validateDescription } from "../project/validate-project.ts";
import { validateHooks } from "../hooks/validate-hooks.ts";
import { projectIdPattern } from "../repository/layout.ts";
import { hooksOfEnvironment } from "./environment-hooks.ts";
import {
  environmentRoles,
  type Environment,
  type EnvironmentDatabase,
  type EnvironmentStorage,
} from "./environment.ts";
import { validateSecretReference } from "./secret-reference.ts";

/** Everything that is wrong with an environment, at once. */
export function validateEnvironment(environment: Environment): readonly Problem[] {
  const { projectId, name, role, databases, storages, region, application } = environment;
  return [
    ...validateProjectId(projectId),
    ...validateName("name", name),
    ...validateDescription(environment.description),
    ...when(
      !environmentRoles.includes(role),
      "role",
      `"${role}" is no role of an environment; use ${environmentRoles.join(", ")}.`,
    ),
    ...when(
      region !== undefined && !/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,62}$/u.test(region),
      "region",
      "A region is at most 63 letters, digits, spaces and . _ -, such as eu-central-1.",
    ),
    ...validateApplication(application),
    ...when(
      databases.length === 0 && storages.length === 0,
      "databases",
      "The environment has neither a database nor files. Name at least one.",
    ),
    ...databases.flatMap((database, index) => validateDatabase(`databases.${index}`, database)),
    ...storages.flatMap((storage, index) => validateStorage(`storages.${index}`, storage)),
    ...validateDistinct("databases", databases),
    ...validateDistinct("storages", storages),
    ...validateAllowedSources(environment),
    ...(["backup", "restore"] as const).flatMap((of) =>
      validateHooks(hooksOfEnvironment(environment, of), { of, hasDatabase: databases.length > 0 }),
    ),
  ];
}

function validateName(field: string, name: string): Problem[] {
  return when(
    !projectIdPattern.test(name),
    field,
    `"${name}" is no name: lower-case letters, digits and hyphens, at most 63, no hyphen at either end.`,
  );
}

function validateDatabase(field: string, database: EnvironmentDatabase): Problem[] {
  const { name, url, password, tools } = database;
  return [
    ...validateName(`${field}.name`, name),
    ...validateDatabaseUrl(`${field}.url`, url),
    ...(password === undefined ? [] : validateSecretReference(`${field}.password`, password)),
    ...when(
      tools !== undefined && !/^[1-9]\d{0,2}$/.test(tools),
      `${field}.tools`,
      `"${tools}" is no major version of the client tools, such as 17.`,
    ),
  ];
}

function validateStorage(field: string, { name, url, credentials }: EnvironmentStorage): Problem[] {
  return [
    ...validateName(`${field}.name`, name),
    ...validateFilesUrl(`${field}.url`, url),
    ...(credentials === undefined ? [] : validateCredentials(`${field}.credentials`, url, credentials)),
  ];
}

function validateCredentials(
  field: string,
  url: string,
  credentials: NonNullable<EnvironmentStorage["credentials"]>,
): Problem[] {
  const parsed = parseBucketUrl(url);
  return [
    ...when(!isBucketUrl(url), field, "Credentials are for buckets; a folder needs none."),
    ...when(
      "place" in parsed && parsed.place.profile !== undefined,
      field,
      "The bucket's URL names a profile, which says where the credentials are. Leave one of the two out.",
    ),
    ...Object.entries(credentials).flatMap(([part, reference]) =>
      validateSecretReference(`${field}.${part}`, String(reference)),
    ),
  ];
}

function validateDistinct(field: string, things: readonly { readonly name: string }[]): Problem[] {
  const names = things.map(({ name }) => name);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  return when(twice.length > 0, field, `The name "${twice[0]}" is given twice.`);
}

function validateAllowedSources({ allowedSources = [] }: Environment): Problem[] {
  return allowedSources.flatMap((source) =>
    source.includes("/")
      ? [
          {
            code: "not-available" as const,
            field: "allowedSources",
            message: `"${source}": backups of another project cannot be restored into this one yet. Name environments of this project.`,
          },
        ]
      : validateName("allowedSources", source),
  );
}
