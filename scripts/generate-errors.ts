import { failures } from "../src/core/failure.ts";

/** In the order of the exit codes. */
const kinds: readonly (readonly [kind: string, exitCode: number, title: string, explanation: string])[] = [
  ["failed", 1, "Failed", "The work was tried and did not succeed."],
  ["usage", 2, "Usage", "The command or request cannot be understood."],
  ["refused", 3, "Refused", "Understood, but policy, protection or validation says no."],
  ["not-found", 4, "Not found", "The thing named does not exist."],
  ["timed-out", 5, "Timed out", "Waiting ended before the work did."],
  ["integrity", 6, "Integrity", "Stored data is damaged, missing or not what it claims to be."],
];

/** The page of every error, grouped by exit code, from the registry in `src/core/failure.ts`. */
export function renderErrorsPage(): string {
  const entries = Object.entries(failures);
  for (const [code, { kind }] of entries) {
    if (!kinds.some(([known]) => known === kind)) throw new Error(`${code} is of an unlisted kind: ${kind}`);
  }
  const lines = [
    "# Errors",
    "",
    "<!-- Generated from src/core/failure.ts by `npm run generate`. Do not edit. -->",
    "",
    "Every error has a code, which never changes its meaning. The exit code of `lc2` follows from its group.",
    "",
    "| Exit code | Group | Meaning |",
    "| --- | --- | --- |",
    "| 0 | | Done. |",
    ...kinds.map(([, exitCode, title, explanation]) => `| ${String(exitCode)} | ${title} | ${explanation} |`),
  ];
  for (const [kind, exitCode, title] of kinds) {
    const members = entries.filter(([, definition]) => definition.kind === kind);
    if (members.length === 0) continue;
    lines.push("", `## ${title} (exit code ${String(exitCode)})`);
    for (const [code, { meaning, remedy }] of members) {
      lines.push("", `### \`${code}\``, "", meaning, "", `**What to do:** ${remedy}`);
    }
  }
  return `${lines.join("\n")}\n`;
}
