import { validateFilesUrl, validateProjectId } from "../backup/validate-backup.ts";
import { isWholeBetween, when, type Problem } from "../problem.ts";
import type { Project, RetentionPolicy } from "./project.ts";

const mostKept = 100_000;
const rules = ["last", "withinDays", "hourly", "daily", "weekly", "monthly", "yearly"] as const;

/** Everything that is wrong with a project, at once. */
export function validateProject(project: Project): readonly Problem[] {
  const { projectId, description, repository, timeZone, retention, maxConcurrentOperations } = project;
  return [
    ...validateProjectId(projectId),
    ...validateDescription(description),
    ...(repository === undefined ? [] : validateFilesUrl("repository", repository)),
    ...when(
      !isTimeZone(timeZone),
      "timeZone",
      `There is no time zone "${timeZone}"; use an IANA name such as Europe/Berlin.`,
    ),
    ...(retention === undefined ? [] : validateRetention(retention)),
    ...when(
      maxConcurrentOperations !== undefined && !isWholeBetween(maxConcurrentOperations, 1, 1000),
      "maxConcurrentOperations",
      `A project's operations at once are a whole number from 1 to 1000, not ${maxConcurrentOperations}.`,
    ),
  ];
}

export function validateDescription(description: string | undefined): Problem[] {
  return when(
    description !== undefined && (description.length > 500 || /\p{Cc}/u.test(description)),
    "description",
    "A description is one line of at most 500 characters.",
  );
}

function validateRetention(retention: RetentionPolicy): Problem[] {
  const given = rules.filter((rule) => retention[rule] !== undefined);
  return [
    ...when(
      given.every((rule) => retention[rule] === 0),
      "retention",
      `A retention that keeps nothing would remove every backup; give at least one of ${rules.join(", ")}.`,
    ),
    ...given.flatMap((rule) =>
      when(
        !isWholeBetween(retention[rule] ?? 0, 0, mostKept),
        `retention.${rule}`,
        `${rule} is a whole number from 0 to ${mostKept}, not ${retention[rule]}.`,
      ),
    ),
  ];
}

function isTimeZone(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}
