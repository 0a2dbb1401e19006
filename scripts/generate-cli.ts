import { commandTree } from "../src/cli/command-tree.ts";
import type { Command, Group, OptionSpec } from "../src/cli/command.ts";
import { exitCodeMeanings } from "../src/cli/exit-codes.ts";
import { allOptions, commonOptions } from "../src/cli/program.ts";

/** Markdown tables and text: what the help writes as `<id>` would else be taken for HTML. */
const cell = (text: string): string =>
  text.replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll("\n", " ");
const code = (text: string): string => `\`${text.replaceAll("|", "\\|")}\``;
const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

function optionRows(options: readonly OptionSpec<unknown>[]): string[] {
  return [
    "| Option | Meaning | Default |",
    "| --- | --- | --- |",
    ...options
      .filter((spec) => spec.hidden !== true)
      .map((spec) => {
        const byDefault = spec.defaultText === undefined ? "" : code(spec.defaultText);
        return `| ${code(spec.flags)} | ${cell(spec.description)} | ${byDefault} |`;
      }),
  ];
}

function commandSection(command: Command, path: string): string[] {
  const operands = command.arguments.map(({ term }) => ` ${term}`).join("");
  const lines = [
    "",
    `### \`lc2 ${path}\``,
    "",
    sentence(command.summary),
    "",
    "```",
    `lc2 ${path}${operands} [options]`,
    "```",
  ];
  if (command.description !== undefined) lines.push("", cell(command.description));
  if (command.arguments.length > 0) {
    const rows = command.arguments.map(({ term, description }) => `| ${code(term)} | ${cell(description)} |`);
    lines.push("", "| Argument | Meaning |", "| --- | --- |", ...rows);
  }
  const options = allOptions(command);
  if (options.length > 0) lines.push("", ...optionRows(options));
  if (command.examples.length > 0) {
    const examples = command.examples.flatMap(({ command: words, says }) => [`# ${says}`, words]);
    lines.push("", "```sh", ...examples, "```");
  }
  return lines;
}

function sections(group: Group, path: string): string[] {
  return group.members.flatMap((member) => {
    const name = `${path} ${member.name}`.trim();
    if (member.type === "command") return member.hidden ? [] : commandSection(member, name);
    const title = path === "" ? ["", `## \`lc2 ${name}\``, "", sentence(member.summary)] : [];
    return [...title, ...sections(member, name)];
  });
}

/** The page of every command, from the commands themselves. */
export function renderCliPage(): string {
  const groups = commandTree.members.filter((member) => member.type === "group");
  const others = commandTree.members.filter((member) => member.type === "command");
  return [
    "# Command line",
    "",
    "<!-- Generated from src/cli by `npm run generate`. Do not edit. -->",
    "",
    `${commandTree.summary}.`,
    "",
    "Results go to standard output; progress, warnings and questions go to standard error. With `-o json` or",
    "`-o yaml` standard output holds the result and nothing else; a failure then leaves it empty, and with",
    "`-o json` the last line on standard error is a JSON object with `code` and `message`. Nothing is asked",
    "unless standard input is a terminal.",
    "",
    "Ctrl-C (also SIGTERM and SIGHUP) cancels cleanly and ends with exit code 1 and the code `cancelled`; once",
    "more stops at once.",
    "",
    "## Exit codes",
    "",
    "| Exit code | Meaning |",
    "| --- | --- |",
    ...exitCodeMeanings.map(([exitCode, meaning]) => `| ${String(exitCode)} | ${sentence(meaning)} |`),
    "",
    "Every error has a code of its own: see [Errors](errors.md).",
    "",
    "## Options of every command",
    "",
    ...optionRows(Object.values(commonOptions)),
    ...sections({ ...commandTree, members: groups }, ""),
    "",
    "## Other commands",
    ...sections({ ...commandTree, members: others }, ""),
    "",
  ].join("\n");
}
