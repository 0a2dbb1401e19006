import type { EnvironmentCheck } from "../../core/environment/environment-check.ts";
import type { CommandContext } from "../context.ts";
import { printable } from "../terminal.ts";

/** A line for each right, and below what misses what gives it. */
export function showEnvironmentCheck({ checks }: EnvironmentCheck, { paint }: CommandContext): string {
  const words = {
    ok: paint.green("ok     "),
    missing: paint.red("missing"),
    unknown: paint.yellow("unknown"),
  };
  const lines = checks.flatMap(({ subject, right, result, message, remedy = [] }) => [
    `${words[result]}  ${printable(subject)}: ${printable(right)}`,
    ...(message === undefined ? [] : [`         ${printable(message)}`]),
    ...remedy.map((statement) => `           ${printable(statement)}`),
  ]);
  return lines.map((line) => `${line}\n`).join("");
}
