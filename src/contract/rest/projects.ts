import { Type } from "typebox";
import { definitionFacts } from "./definitions.ts";
import { closed, refer, text, whole } from "./schema.ts";
import { page } from "./shared.ts";

const kept = (description: string) => Type.Optional(whole(description));
const retention = Type.Object(
  {
    last: kept("The newest so many."),
    withinDays: kept("All of so many days back."),
    hourly: kept("The newest of each of so many hours."),
    daily: kept("The newest of each of so many days."),
    weekly: kept("The newest of each of so many weeks."),
    monthly: kept("The newest of each of so many months."),
    yearly: kept("The newest of each of so many years."),
  },
  {
    ...closed,
    description: "Which backups are kept. Saved and checked; this version removes no backup by itself.",
  },
);

const said = {
  description: Type.Optional(text("One line for people.")),
  repository: Type.Optional(
    text("Where its backups are kept, file:///… or s3://…; absent: the installation's own."),
  ),
  retention: Type.Optional(retention),
  maxConcurrentOperations: Type.Optional(
    whole("Backups and restores at once; absent: the installation's limit for a project."),
  ),
};
const timeZone = text("IANA name, such as Europe/Berlin.");
const projectId = text("Lower-case letters, digits and hyphens, at most 63.");

/** PUT: the path names it. */
export const projectChange = Type.Object({ ...said, timeZone: Type.Optional(timeZone) }, closed);
export const projectRequest = Type.Object({ projectId, ...projectChange.properties }, closed);
/** A file for the command line, where the id may be said beside it. */
export const projectFile = Type.Object(
  { projectId: Type.Optional(projectId), ...projectChange.properties },
  closed,
);
export const project = Type.Object({ projectId, ...said, timeZone, ...definitionFacts }, { $id: "Project" });
export const projectPage = Type.Object(
  { projects: Type.Array(refer(project)), ...page },
  { $id: "ProjectPage" },
);
