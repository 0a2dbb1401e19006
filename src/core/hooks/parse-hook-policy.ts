import { Failure } from "../failure.ts";
import { emptyPolicy, type AllowedCommand, type HookPolicy } from "./hook-policy.ts";

const lists = ["urls", "statements", "artifacts", "secrets"] as const;

/** The policy that a hooks file states. Throws `hooks-file-invalid`: a file that is not understood allows nothing. */
export function parseHookPolicy(text: string, place: string): HookPolicy {
  const refuse = (reason: string): never => {
    throw new Failure(
      "hooks-file-invalid",
      `The hooks file ${place} ${reason} Until it is mended no hook runs.`,
    );
  };
  const value = parseJson(text) ?? refuse("is no JSON.");
  if (!isObject(value)) return refuse("is no JSON object.");
  const known = new Set<string>(["commands", ...lists]);
  const unknown = Object.keys(value).find((name) => !known.has(name));
  if (unknown !== undefined) return refuse(`has the unknown member "${unknown}".`);
  const stated = Object.fromEntries(
    lists.map((name) => [
      name,
      isTexts(value[name] ?? []) ? (value[name] ?? []) : refuse(`has no list of texts in "${name}".`),
    ]),
  );
  const commands = value["commands"] ?? {};
  if (!isObject(commands)) return refuse('has no object in "commands".');
  for (const [name, command] of Object.entries(commands)) {
    if (!isAllowedCommand(command))
      return refuse(`has no absolute "program" with a list of "arguments" for the command "${name}".`);
  }
  return { ...emptyPolicy, ...stated, commands: commands as HookPolicy["commands"] };
}

function isAllowedCommand(value: unknown): value is AllowedCommand {
  if (!isObject(value)) return false;
  const { program, arguments: given, environment = [], directory = "/", ...others } = value;
  return (
    isAbsolute(program) &&
    isTexts(given) &&
    isTexts(environment) &&
    isAbsolute(directory) &&
    Object.keys(others).length === 0
  );
}

const isAbsolute = (value: unknown): boolean => typeof value === "string" && value.startsWith("/");
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === "string");

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
