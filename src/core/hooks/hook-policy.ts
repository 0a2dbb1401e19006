import type { Problem } from "../problem.ts";
import { splitCommand } from "./command-words.ts";
import type { HookAction, HookSpec, HttpCall } from "./hook.ts";

/**
 * What hooks may do on this installation, as its administrator wrote it down. What is not in it is refused, whoever
 * asks: a hook runs with the rights of the service.
 */
export interface HookPolicy {
  /** By the first word of the hooks' commands. */
  readonly commands: Readonly<Record<string, AllowedCommand>>;
  /** URLs that may be called; `*` stands for anything in path and query, never in the host. */
  readonly urls: readonly string[];
  /** SQL that may be run; `*` stands for anything. */
  readonly statements: readonly string[];
  /** Paths that may be kept as artifacts; `*` stands for anything but `..`. */
  readonly artifacts: readonly string[];
  /** References to secrets that headers may name: `env:NAME`, `file:/path`. */
  readonly secrets: readonly string[];
}

export interface AllowedCommand {
  /** Absolute path of the program. */
  readonly program: string;
  /** Arguments that may be given, a line each; `*` stands for anything but `..` within one argument. */
  readonly arguments: readonly string[];
  /** Variables of the service's environment that it gets beside PATH, HOME and LANG; their values are kept out of output. */
  readonly environment?: readonly string[];
  /** Where it runs. Default: the root folder. */
  readonly directory?: string;
}

export const emptyPolicy: HookPolicy = { commands: {}, urls: [], statements: [], artifacts: [], secrets: [] };

/** A command as it is run. */
export interface ResolvedCommand {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly environment: readonly string[];
  readonly directory: string;
}

/** What runs for a command's words, or why nothing does. */
export function resolveCommand(
  policy: HookPolicy,
  command: string,
): { readonly resolved: ResolvedCommand } | { readonly problem: string } {
  const split = splitCommand(command);
  if ("problem" in split) return { problem: `The command cannot be run: ${split.problem}.` };
  const [name = "", ...given] = split.words;
  const allowed = Object.hasOwn(policy.commands, name) ? policy.commands[name] : undefined;
  if (allowed === undefined)
    return { problem: `The command "${name}" is not allowed here. Allowed are: ${list(policy.commands)}.` };
  if (!allowed.arguments.some((line) => matchesArguments(line, given))) {
    return {
      problem:
        `The command "${name}" may not be given these arguments. Allowed are: ` +
        `${allowed.arguments.map((line) => `"${line}"`).join(", ") || "none"}.`,
    };
  }
  const { program, environment = [], directory = "/" } = allowed;
  return { resolved: { program, arguments: given, environment, directory } };
}

const list = (commands: HookPolicy["commands"]): string => Object.keys(commands).join(", ") || "none";

function matchesArguments(line: string, given: readonly string[]): boolean {
  const patterns = line.split(" ").filter((word) => word !== "");
  return (
    patterns.length === given.length &&
    patterns.every((pattern, index) => matchesPath(pattern, given[index] ?? ""))
  );
}

/** A star matches no way out of the folder it stands in. */
function matchesPath(pattern: string, text: string): boolean {
  if (!matches(pattern, text)) return false;
  return !pattern.includes("*") || !text.split(/[/=]/).includes("..");
}

function matches(pattern: string, text: string): boolean {
  const source = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll("*", "[^]*");
  return new RegExp(`^${source}$`).test(text);
}

/** Whether this URL may be called: host by host, the rest by pattern. */
export function allowsUrl(policy: HookPolicy, url: string): boolean {
  const wanted = splitUrl(url);
  return policy.urls.some((pattern) => {
    const allowed = splitUrl(pattern);
    return (
      allowed !== undefined &&
      wanted !== undefined &&
      allowed.origin === wanted.origin &&
      !wanted.rest.split(/[/?]/).some((part) => part === ".." || /^(?:%2e|\.){2}$/i.test(part)) &&
      matches(allowed.rest, wanted.rest)
    );
  });
}

/** Scheme, host and port, and what comes after; undefined with credentials, or where this is no http URL. */
function splitUrl(url: string): { readonly origin: string; readonly rest: string } | undefined {
  const found = /^(https?):\/\/([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d+)?(\/[^#\s\\]*)?$/i.exec(url);
  if (found === null) return undefined;
  const [, scheme = "", host = "", port = "", rest = "/"] = found;
  return { origin: `${scheme}://${host}${port}`.toLowerCase(), rest };
}

/** Whether what is at this path may be kept. */
export const allowsArtifact = (policy: HookPolicy, path: string): boolean =>
  policy.artifacts.some((pattern) => matchesPath(pattern, path));

/** Everything of a hook that this installation does not allow. */
export function policyProblems(policy: HookPolicy, field: string, hook: HookSpec): Problem[] {
  const undo = hook.undo === undefined ? [] : actionProblems(policy, `${field}.undo`, hook.undo);
  const { artifactPath } = hook;
  const artifact =
    artifactPath === undefined || allowsArtifact(policy, artifactPath) ? [] : [`${field}.artifactPath`];
  return [
    ...actionProblems(policy, field, hook),
    ...undo,
    ...artifact.map((name) => refuse(name, `Hooks may not keep what is at ${artifactPath}.`)),
  ];
}

/** Everything of an action that this installation does not allow. */
export function actionProblems(policy: HookPolicy, field: string, action: HookAction): Problem[] {
  const { command, http, sql } = action;
  if (command !== undefined) {
    const found = resolveCommand(policy, command);
    return "problem" in found ? [refuse(`${field}.command`, found.problem)] : [];
  }
  if (http !== undefined) return httpProblems(policy, `${field}.http`, http);
  if (sql === undefined || policy.statements.some((pattern) => matches(pattern, sql.trim()))) return [];
  return [refuse(`${field}.sql`, "Hooks may not run this SQL here.")];
}

function httpProblems(policy: HookPolicy, field: string, { url, headers = {} }: HttpCall): Problem[] {
  const secrets = Object.values(headers).filter(isSecretReference);
  return [
    ...(allowsUrl(policy, url) ? [] : [refuse(`${field}.url`, `Hooks may not call ${showUrl(url)} here.`)]),
    ...secrets
      .filter((reference) => !policy.secrets.includes(reference))
      .map((reference) => refuse(`${field}.headers`, `Hooks may not use the secret ${reference} here.`)),
  ];
}

/** Where a URL goes, without what may be a secret in it. */
export const showUrl = (url: string): string => splitUrl(url)?.origin ?? "a URL that is none";

export const isSecretReference = (value: string): boolean => /^(?:env|file):/.test(value);

const refuse = (field: string, reason: string): Problem => ({
  code: "hook-not-allowed",
  field,
  message: `${reason} An administrator can allow it in this installation's hooks file.`,
});
