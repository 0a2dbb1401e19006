import { validateProjectId } from "../backup/validate-backup.ts";
import { isWholeBetween, longestSeconds, when, type Problem } from "../problem.ts";

/** Each may do what the one before it may: look; back up and restore; delete. */
export const roles = ["viewer", "operator", "admin"] as const;
export type Role = (typeof roles)[number];

/** Everything that is wrong with an API key that is asked for, at once. */
export function validateApiKey(wish: {
  readonly name: string;
  readonly role: string;
  readonly projects?: readonly string[];
  readonly expiresInSeconds?: number;
}): readonly Problem[] {
  const { name, role, projects, expiresInSeconds } = wish;
  return [
    ...when(
      !/^[\p{L}\p{N}](?:[\p{L}\p{N} ._@-]{0,98}[\p{L}\p{N}])?$/u.test(name),
      "name",
      "A key's name is 1 to 100 letters, digits, spaces and . _ @ -, no such sign at either end.",
    ),
    ...when(!roles.some((known) => known === role), "role", `"${role}" is no role; use ${roles.join(", ")}.`),
    ...when(projects?.length === 0, "projects", "A key for no project is of no use; leave it out for all."),
    ...(projects ?? []).flatMap((projectId) => validateProjectId(projectId)),
    ...when(
      expiresInSeconds !== undefined && !isWholeBetween(expiresInSeconds, 1, longestSeconds),
      "expiresInSeconds",
      "A key's life is from one second to a hundred years, in whole seconds.",
    ),
  ];
}

/** What is wrong with how long a key stays valid beside the one that replaces it. */
export function validateOverlap(overlapSeconds: number): readonly Problem[] {
  return when(
    !isWholeBetween(overlapSeconds, 0, longestSeconds),
    "overlapSeconds",
    "The old key stays valid for whole seconds, up to a hundred years.",
  );
}
