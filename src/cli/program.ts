/** From words on a command line to an exit code: parses with commander, validates, runs, reports. */
import { Argument, Command as Commander, CommanderError, Option } from "commander";
import { flag, longFlag, value, valueOr } from "./command.ts";
import type { Command, Group, OptionSpec, Problem, RawInput, RawValue } from "./command.ts";
import { createContext } from "./context.ts";
import { exitCodeMeanings, exitCodes } from "./exit-codes.ts";
import { reportFailure, reportProblems } from "./failure-report.ts";
import type { CliHost } from "./host.ts";
import { oneOf, text } from "./option-values.ts";
import { outputFormats } from "./output.ts";
import type { OutputFormat } from "./output.ts";
import { paintFor } from "./terminal.ts";
import type { TextSink } from "./terminal.ts";

/** On every command. */
export const commonOptions = {
  dataDirectory: value(
    "--data-dir <dir>",
    "where keys, the default repository and, without DATABASE_URL, the catalog are (LC2_DATA_DIR)",
    text,
    {
      complete: "directory",
    },
  ),
  quiet: flag("-q, --quiet", "no progress, only warnings and errors"),
  noColor: flag("--no-color", "no colours (also NO_COLOR)"),
  debug: flag("--debug", "show stacks and more of what happens"),
};

/** `-o` of a command that has results. */
function outputOption(formats: readonly OutputFormat[]): OptionSpec<OutputFormat> {
  const [first = "table"] = formats;
  return valueOr(
    "-o, --output <format>",
    `how the result is written: ${formats.join(", ")}`,
    oneOf(...formats),
    first,
    {
      complete: formats,
    },
  );
}

/**
 * Runs one command line (without the program's own name) and resolves with its exit code. Never rejects
 * because of what a person wrote or what a command met.
 */
export async function runCommandLine(words: readonly string[], tree: Group, host: CliHost): Promise<number> {
  let outcome: Promise<number> | undefined;
  const complaints: string[] = [];
  const program = buildProgram(tree, host, {
    onRun: (command, name, parsed) => {
      outcome = runCommand(command, name, parsed, tree, host);
    },
    onComplaint: (complaint) => complaints.push(complaint),
  });
  try {
    program.parse(withCommonOptionsLast(words), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return commanderOutcome(error, complaints, program, words, host);
  }
  return outcome ?? exitCodes.done;
}

/**
 * `lc2 --data-dir /x backup list` is `lc2 backup list --data-dir /x`: options of every command may come first.
 * Without a command there is nothing that they could be options of (`lc2 --no-color --help`).
 */
function withCommonOptionsLast(words: readonly string[]): readonly string[] {
  const first = words[0]?.split("=", 1)[0] ?? "";
  const spec = Object.values(commonOptions).find(({ flags }) => flags.split(/, | /).includes(first));
  if (spec === undefined) return words;
  const taken = spec.kind === "value" && words[0] === first ? 2 : 1;
  const rest = withCommonOptionsLast(words.slice(taken));
  return rest[0] === undefined || rest[0].startsWith("-") ? rest : [...rest, ...words.slice(0, taken)];
}

/** Arguments as the help writes them: `<backupId>`. */
const argumentTerms = new WeakMap<Argument, string>();

interface Hooks {
  readonly onRun: (command: Command, name: string, parsed: ParsedCommand) => void;
  readonly onComplaint: (text: string) => void;
}

interface ParsedCommand {
  readonly raw: RawInput;
  readonly unknownFlags: readonly string[];
}

function buildProgram(tree: Group, host: CliHost, hooks: Hooks): Commander {
  const program = new Commander(tree.name);
  program
    .description(tree.summary)
    .version(host.version, "-V, --version", "print the version")
    .helpCommand("help [command]", "help for a command")
    .exitOverride()
    .configureOutput({
      writeOut: (written) => host.terminal.stdout.write(written),
      writeErr: hooks.onComplaint,
      getOutHelpWidth: () => Math.min(110, host.terminal.stdout.columns()),
      getErrHelpWidth: () => Math.min(110, host.terminal.stderr.columns()),
      getOutHasColors: () => host.terminal.stdout.colour,
      getErrHasColors: () => host.terminal.stderr.colour,
    })
    .configureHelp({
      optionTerm: shownFlags,
      argumentTerm: (argument) => argumentTerms.get(argument) ?? argument.name(),
      subcommandTerm: (command) =>
        `${command.name()} ${command.usage()}`.replaceAll(/ ?\[(?:options|command)\]/g, "").trim(),
      styleTitle: (title) => paintFor({ colour: host.terminal.stdout.colour }).bold(title),
    })
    .addHelpText("after", rootHelp());
  addMembers(program, tree, "", hooks);
  return program;
}

function rootHelp(): string {
  const meanings = exitCodeMeanings.map(([code, meaning]) => `  ${code}  ${meaning}`);
  return ["", "Exit codes:", ...meanings].join("\n");
}

function addMembers(parent: Commander, group: Group, path: string, hooks: Hooks): void {
  for (const member of group.members) {
    const name = `${path} ${member.name}`.trim();
    // `command` (not `addCommand`) hands on output, help and exit settings.
    const hidden = member.type === "command" && member.hidden;
    const child = parent.command(member.name, { hidden }).helpOption("-h, --help", "this help");
    if (member.type === "group") {
      child.summary(member.summary).description(`${capital(member.summary)}.`);
      addMembers(child, member, name, hooks);
    } else {
      addCommand(child, member, name, hooks);
    }
  }
}

function addCommand(child: Commander, command: Command, name: string, hooks: Hooks): void {
  child
    .summary(command.summary)
    .description([`${capital(command.summary)}.`, command.description].filter(Boolean).join("\n\n"))
    .usage([...command.arguments.map((each) => each.term), "[options]"].join(" "))
    // Unknown options and too many words are reported with every other problem, not first and alone.
    .allowUnknownOption()
    .allowExcessArguments();
  for (const each of command.arguments) {
    // "Optional" to commander, so that a missing one becomes a problem among others.
    const argument = new Argument(`[${each.term.replaceAll(/[<>[\]]/g, "")}]`, each.description);
    argumentTerms.set(argument, each.term);
    child.addArgument(argument);
  }
  const known = new Map<string, Option>();
  const add = (spec: OptionSpec<unknown>, heading: string): void => {
    const option = toCommanderOption(spec);
    known.set(spec.flags, option);
    child.addOption(option.helpGroup(heading));
  };
  for (const spec of allOptions(command)) add(spec, "Options:");
  for (const spec of Object.values(commonOptions)) add(spec, "Common options:");
  if (command.examples.length > 0) child.addHelpText("after", examplesHelp(command));
  child.action(() => {
    const flags = child.args.filter((word) => word.length > 1 && word.startsWith("-"));
    hooks.onRun(command, name, {
      raw: {
        operands: child.args.filter((word) => !flags.includes(word)),
        option: (written) => rawValue(child, known.get(written)),
      },
      unknownFlags: flags,
    });
  });
}

/** The command's own options, `-o` included. */
export function allOptions(command: Command): readonly OptionSpec<unknown>[] {
  return command.output.length === 0 ? command.options : [...command.options, outputOption(command.output)];
}

function examplesHelp(command: Command): string {
  const lines = command.examples.flatMap(({ command: words, says }) => [`  # ${says}`, `  ${words}`]);
  return ["", "Examples:", ...lines].join("\n");
}

function toCommanderOption(spec: OptionSpec<unknown>): Option {
  // The value is "optional" to commander, so that a missing one becomes a problem among others.
  const option = new Option(spec.flags.replace(/<(.+)>$/, "[$1]"), describe(spec));
  if (spec.hidden === true) option.hideHelp();
  if (spec.kind === "list") {
    option.argParser<readonly string[]>((word, before: unknown) => {
      if (before === undefined) return [word];
      return Array.isArray(before) ? [...before.map(String), word] : ["", word];
    });
  }
  return option;
}

const describe = (spec: OptionSpec<unknown>): string =>
  spec.defaultText === undefined ? spec.description : `${spec.description} (default: ${spec.defaultText})`;

const shownFlags = (option: Option): string => option.flags.replace(/\[(.+)\]$/, "<$1>");

function rawValue(child: Commander, option: Option | undefined): RawValue {
  if (option === undefined) return undefined;
  const found: unknown = child.opts()[option.attributeName()];
  if (option.negate) return found === false;
  if (Array.isArray(found)) return found.map(String);
  return typeof found === "string" || typeof found === "boolean" ? found : undefined;
}

const capital = (sentence: string): string => sentence.charAt(0).toUpperCase() + sentence.slice(1);

async function runCommand(
  command: Command,
  commandName: string,
  { raw, unknownFlags }: ParsedCommand,
  tree: Group,
  host: CliHost,
): Promise<number> {
  const isOn = (spec: OptionSpec<unknown>): boolean => raw.option(spec.flags) === true;
  const debug = isOn(commonOptions.debug);
  const colourless = isOn(commonOptions.noColor) ? withoutColours(host) : host;
  const wish = command.output.length === 0 ? "table" : raw.option(outputOption(command.output).flags);
  const format = outputFormats.find((each) => each === wish) ?? command.output[0] ?? "table";
  const reporting = { commandName, format, debug };
  const sink = colourless.terminal.stderr;

  const problems: Problem[] = unknownFlags.map((word) => unknownOption(word, command));
  const prepared = command.prepare(raw);
  if (!prepared.ok) {
    // After an unknown option nobody knows which words were meant as its value.
    problems.push(...prepared.problems.filter((each) => problems.length === 0 || each.subject !== undefined));
  }
  problems.push(...commonProblems(command, raw));
  if (problems.length > 0 || !prepared.ok) return reportProblems(problems, sink, reporting);

  const dataDirectoryWish = commonOptions.dataDirectory.read(raw.option(commonOptions.dataDirectory.flags));
  const quiet = isOn(commonOptions.quiet);
  const context = createContext(colourless, { tree, commandName, format, dataDirectoryWish, quiet });
  try {
    const code = (await prepared.run(context)) ?? exitCodes.done;
    await context.finish();
    return code;
  } catch (error) {
    await context.finish().catch(() => undefined);
    return reportFailure(error, sink, reporting);
  }
}

function commonProblems(command: Command, raw: RawInput): Problem[] {
  const checked = [
    commonOptions.dataDirectory,
    ...(command.output.length === 0 ? [] : [outputOption(command.output)]),
  ];
  return checked.flatMap((spec): Problem[] => {
    try {
      spec.read(raw.option(spec.flags));
      return [];
    } catch (error) {
      return [
        {
          subject: longFlag(spec.flags),
          code: "usage",
          message: error instanceof Error ? error.message : "",
        },
      ];
    }
  });
}

function unknownOption(word: string, command: Command): Problem {
  const name = word.split("=", 1)[0] ?? word;
  const known = [...allOptions(command), ...Object.values(commonOptions)].filter(
    (spec) => spec.hidden !== true,
  );
  const near = nearest(
    name,
    known.map((spec) => longFlag(spec.flags)),
  );
  return {
    subject: name,
    code: "usage",
    message: `there is no such option${near === undefined ? "" : `; did you mean ${near}?`}`,
  };
}

/** The candidate that differs least, if it differs little. */
function nearest(word: string, candidates: readonly string[]): string | undefined {
  const scored = candidates.map((candidate) => ({ candidate, score: distance(word, candidate) }));
  const best = scored.sort((a, b) => a.score - b.score)[0];
  return best !== undefined && best.score <= Math.max(2, Math.floor(word.length / 4))
    ? best.candidate
    : undefined;
}

/** Levenshtein's: how many letters to add, leave out or change. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** Help and version were asked for, or commander itself could not go on (an unknown command). */
function commanderOutcome(
  error: CommanderError,
  complaints: readonly string[],
  program: Commander,
  words: readonly string[],
  host: CliHost,
): number {
  if (error.code === "commander.helpDisplayed" || error.code === "commander.version") return exitCodes.done;
  const sink = host.terminal.stderr;
  if (error.code === "commander.help") {
    if (error.exitCode === 0) return exitCodes.done;
    sink.write(complaints.join(""));
    return exitCodes.usage;
  }
  const message = error.message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " ");
  const group = program.commands.find((each) => each.name() === words[0]);
  const options = { commandName: group?.name() ?? "", format: "table", debug: false } as const;
  return reportProblems([{ code: "usage", message }], sink, options);
}

function withoutColours(host: CliHost): CliHost {
  const dull = (sink: TextSink): TextSink => ({ ...sink, colour: false });
  const { terminal } = host;
  return { ...host, terminal: { ...terminal, stdout: dull(terminal.stdout), stderr: dull(terminal.stderr) } };
}
