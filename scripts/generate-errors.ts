import { exitCodeMeanings, exitCodeOf } from "../src/cli/exit-codes.ts";
import { type FailureCode, failures } from "../src/core/failure.ts";

/** The page of every error, grouped by exit code, from the registry in `src/core/failure.ts`. */
export function renderErrorsPage(): string {
  const codes = (Object.keys(failures) as FailureCode[]).map((code) => ({
    code,
    exitCode: exitCodeOf(code),
  }));
  const lines = [
    "# Errors",
    "",
    "<!-- Generated from src/core/failure.ts by `npm run generate`. Do not edit. -->",
    "",
    "Every error has a code, which never changes its meaning. The exit code of `lc2` follows from it.",
    "",
    "| Exit code | Meaning |",
    "| --- | --- |",
    ...exitCodeMeanings.map(([exitCode, meaning]) => `| ${String(exitCode)} | ${meaning} |`),
  ];
  for (const [exitCode, meaning] of exitCodeMeanings) {
    const members = codes.filter((each) => each.exitCode === exitCode);
    if (members.length === 0) continue;
    lines.push("", `## Exit code ${String(exitCode)}: ${meaning}`);
    for (const { code } of members) {
      lines.push(
        "",
        `### \`${code}\``,
        "",
        failures[code].meaning,
        "",
        `**What to do:** ${failures[code].remedy}`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}
