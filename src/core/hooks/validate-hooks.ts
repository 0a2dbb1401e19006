import { isWholeBetween, when, type Problem } from "../problem.ts";
import { splitCommand } from "./command-words.ts";
import { policyProblems, type HookPolicy } from "./hook-policy.ts";
import type { HookAction, Hooks, HookSpec } from "./hook.ts";

/** What the hooks belong to. */
export interface HooksPlace {
  readonly of: "backup" | "restore";
  readonly hasDatabase: boolean;
}

const fields = {
  backup: { before: "preBackupHooks", after: "postBackupHooks" },
  restore: { before: "preRestoreHooks", after: "postRestoreHooks" },
} as const;

/** Everything of the hooks of a request that this installation does not allow, at once. */
export const hooksNotAllowed = (hooks: Hooks, of: HooksPlace["of"], policy: HookPolicy): readonly Problem[] =>
  (["before", "after"] as const).flatMap((when) =>
    hooks[when].flatMap((hook, index) => policyProblems(policy, `${fields[of][when]}.${index}`, hook)),
  );

/** Everything that is wrong with the hooks of a request, at once. */
export function validateHooks(hooks: Hooks, place: HooksPlace): readonly Problem[] {
  const names = [...hooks.before, ...hooks.after].map(({ name }) => name);
  const validateAll = (moment: "before" | "after"): Problem[] =>
    hooks[moment].flatMap((hook, index) =>
      validateHook(`${fields[place.of][moment]}.${index}`, hook, place, moment),
    );
  return [
    ...when(names.length > 50, fields[place.of].before, "A request has at most 50 hooks."),
    ...when(
      new Set(names).size < names.length,
      fields[place.of].before,
      "Two hooks have the same name; those of the environment count, too.",
    ),
    ...validateAll("before"),
    ...validateAll("after"),
  ];
}

function validateHook(
  field: string,
  hook: HookSpec,
  place: HooksPlace,
  moment: "before" | "after",
): readonly Problem[] {
  const { name, timeout, retries, undo, maximumHold, artifactPath, storeArtifact } = hook;
  const isAfter = moment === "after";
  return [
    ...when(
      !/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/.test(name),
      `${field}.name`,
      `"${name.slice(0, 80)}" is no hook name: lower-case letters, digits and hyphens, at most 40, no hyphen at either end.`,
    ),
    ...validateAction(field, hook, place),
    ...when(timeout !== undefined && !isWholeBetween(timeout, 1, 86_400), `${field}.timeout`, timeoutRule),
    ...when(
      retries !== undefined && !isWholeBetween(retries, 0, 10),
      `${field}.retries`,
      "retries is a whole number from 0 to 10.",
    ),
    ...when(
      storeArtifact === true && artifactPath === undefined,
      `${field}.artifactPath`,
      "storeArtifact needs artifactPath, the file or folder that is kept.",
    ),
    ...when(
      artifactPath !== undefined && !artifactPath.startsWith("/"),
      `${field}.artifactPath`,
      "artifactPath is an absolute path.",
    ),
    ...when(
      (storeArtifact === true || artifactPath !== undefined) && (isAfter || place.of === "restore"),
      `${field}.storeArtifact`,
      "Only a hook before a backup can put something into it.",
    ),
    ...when(
      isAfter && place.of === "backup" && hook.onError === "fail",
      `${field}.onError`,
      "A backup that is stored is not undone because a hook after it failed: only continue is possible.",
    ),
    ...when(
      !isAfter && hook.runOn !== undefined,
      `${field}.runOn`,
      "Only hooks afterwards know how it ended; leave runOn out.",
    ),
    ...when(isAfter && undo !== undefined, `${field}.undo`, "Only a hook before can hold something."),
    ...when(
      maximumHold !== undefined && (undo === undefined || !isWholeBetween(maximumHold, 1, 604_800)),
      `${field}.maximumHold`,
      "maximumHold is a number of seconds up to 604800 (a week), of a hook with an undo.",
    ),
    ...(undo === undefined ? [] : validateAction(`${field}.undo`, undo, place)),
  ];
}

const timeoutRule = "timeout is a whole number of seconds from 1 to 86400 (a day).";

function validateAction(field: string, action: HookAction, { hasDatabase }: HooksPlace): readonly Problem[] {
  const { command, http, sql } = action;
  const split = command === undefined ? undefined : splitCommand(command);
  return [
    ...when(
      [command, http, sql].filter((one) => one !== undefined).length !== 1,
      field,
      "A hook does exactly one of command, http and sql.",
    ),
    ...when(
      split !== undefined && "problem" in split,
      `${field}.command`,
      `The command cannot be run: ${split !== undefined && "problem" in split ? split.problem : ""}.`,
    ),
    ...when(
      sql !== undefined && (sql.trim() === "" || sql.includes("\0")),
      `${field}.sql`,
      "The SQL is empty.",
    ),
    ...when(sql !== undefined && !hasDatabase, `${field}.sql`, "SQL needs a database in the request."),
    ...(http === undefined ? [] : validateHttp(`${field}.http`, http)),
  ];
}

function validateHttp(
  field: string,
  { url, headers = {}, expectedStatus = [] }: NonNullable<HookAction["http"]>,
): readonly Problem[] {
  const hasCredentials = /^[a-z]+:\/\/[^/?#]*@/i.test(url);
  return [
    ...(hasCredentials
      ? [
          {
            code: "password-on-command-line" as const,
            field: `${field}.url`,
            message: "The URL carries credentials. Use a header with a reference, such as env:HOOK_TOKEN.",
          },
        ]
      : when(!/^https?:\/\/[^\s#]+$/i.test(url), `${field}.url`, "The URL must be http:// or https://.")),
    ...when(
      Object.entries(headers).some(
        ([name, text]) => !/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name) || /[\r\n\0]/.test(text),
      ),
      `${field}.headers`,
      "A header has a name or a value that no request can carry.",
    ),
    ...when(
      Object.entries(headers).some(
        ([name, text]) => /^(?:authorization|cookie|x-api-key)$/i.test(name) && !/^(?:env|file):/.test(text),
      ),
      `${field}.headers`,
      "A header with a credential holds a reference, env:NAME or file:/path, never the secret itself.",
    ),
    ...when(
      expectedStatus.some((status) => !isWholeBetween(status, 100, 599)),
      `${field}.expectedStatus`,
      "expectedStatus lists statuses from 100 to 599.",
    ),
  ];
}
