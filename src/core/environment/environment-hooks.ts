import type { HookPolicy } from "../hooks/hook-policy.ts";
import type { HookAction, Hooks, HookSpec } from "../hooks/hook.ts";
import { hooksNotAllowed } from "../hooks/validate-hooks.ts";
import { missing, ok, type RightCheck } from "./environment-check.ts";
import type { Environment } from "./environment.ts";

/** What an environment says of the hooks of each backup of it, or of each restore into it. */
export function hooksOfEnvironment(environment: Environment, of: "backup" | "restore"): Hooks {
  const { preBackupHooks, postBackupHooks, preRestoreHooks, postRestoreHooks } = environment;
  return of === "backup"
    ? { before: preBackupHooks ?? [], after: postBackupHooks ?? [] }
    : { before: preRestoreHooks ?? [], after: postRestoreHooks ?? [] };
}

/**
 * The hooks of a request and those of its environment, which are around them: the environment's begin and end. SQL of
 * the environment runs where its database is a part of the work. Pure.
 */
export function surroundHooks(
  environment: Environment | undefined,
  of: "backup" | "restore",
  { before, after }: Hooks,
  hasDatabase: boolean,
): Hooks {
  if (environment === undefined) return { before, after };
  const own = hooksOfEnvironment(environment, of);
  const mayRun = (hook: HookSpec): boolean => hasDatabase || !needsDatabase(hook);
  return {
    before: [...own.before.filter(mayRun), ...before],
    after: [...after, ...own.after.filter(mayRun)],
  };
}

const needsDatabase = (hook: HookSpec): boolean =>
  isSql(hook) || (hook.undo !== undefined && isSql(hook.undo));
const isSql = ({ sql }: HookAction): boolean => sql !== undefined;

/** Which of the environment's hooks this installation allows. Pure. */
export function checkHooks(
  environment: Environment,
  of: "backup" | "restore",
  policy: HookPolicy,
): readonly RightCheck[] {
  const { before, after } = hooksOfEnvironment(environment, of);
  return [...before, ...after].map((hook) => {
    const refused = hooksNotAllowed({ before: [hook], after: [] }, of, policy);
    const subject = `${of} hook ${hook.name}`;
    if (refused.length === 0) return ok(subject, "allowed here");
    return missing(subject, "allowed here", refused.map(({ message }) => message).join(" "));
  });
}
