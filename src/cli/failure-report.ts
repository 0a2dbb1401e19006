import { Failure, failures } from "../core/failure.ts";
import type { Problem } from "./command.ts";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";
import type { ExitCode } from "./exit-codes.ts";
import type { OutputFormat } from "./output.ts";
import { paintFor, printable, wrapWords } from "./terminal.ts";
import type { TextSink } from "./terminal.ts";

interface ReportOptions {
  /** "backup create"; empty for `lc2` itself. */
  readonly commandName: string;
  readonly format: OutputFormat;
  readonly debug: boolean;
}

/**
 * Says on standard error what failed, why and what to do next, and answers with the exit code. With `-o json`
 * the last line on standard error is a JSON object with `code`, `message` and, for a command line that cannot be
 * understood, every problem. Standard output is left alone. A stack is shown only with `--debug`.
 */
export function reportFailure(error: unknown, sink: TextSink, options: ReportOptions): ExitCode {
  const failure = Failure.from(error);
  const paint = paintFor(sink);
  const { remedy } = failures[failure.code];
  const name = paint.red(`lc2 ${options.commandName}`.trim());
  const message = failure.message
    .split("\n")
    .map((line) => printable(line))
    .join("\n");
  const say = (text: string): void => {
    const width = sink.isTerminal ? sink.columns() - 2 : Number.POSITIVE_INFINITY;
    const lines = text.split("\n").flatMap((line) => wrapWords(line, width));
    sink.write(`${lines.join("\n  ")}\n`);
  };
  say(`${name}: ${message}`);
  if (needsRemedy(failure)) say(`  ${paint.bold("What to do:")} ${remedy}`);
  sink.write(`  ${paint.dim(`error ${failure.code}, exit code ${exitCodeOf(failure.code)}`)}\n`);
  if (options.debug) sink.write(`${stackOf(error)}\n`);
  if (options.format === "json") {
    sink.write(`${JSON.stringify({ code: failure.code, message: failure.message })}\n`);
  }
  return exitCodeOf(failure.code);
}

/** A message of several sentences says by itself what to do next; the registry's word would repeat it. */
const needsRemedy = ({ code, message }: Failure): boolean =>
  code !== "cancelled" &&
  message
    .trim()
    .split(/[.!?](?:\s|$)/)
    .filter(Boolean).length < 2;

/** Every problem of a command line at once, and where to read more. */
export function reportProblems(
  problems: readonly Problem[],
  sink: TextSink,
  options: ReportOptions,
): ExitCode {
  const paint = paintFor(sink);
  const name = `lc2 ${options.commandName}`.trim();
  const sentence = ({ subject, message }: Problem): string =>
    subject === undefined ? printable(message) : `${subject}: ${printable(message)}`;
  const [first, ...others] = problems;
  if (first !== undefined && others.length === 0) {
    sink.write(`${paint.red(name)}: ${sentence(first)}\n`);
  } else {
    sink.write(`${paint.red(name)}: ${problems.length} problems\n`);
    for (const problem of problems) sink.write(`  ${sentence(problem)}\n`);
  }
  sink.write(`See: ${name} --help\n`);
  if (options.format === "json") {
    const special = problems.find((problem) => problem.code !== "usage");
    const code = special?.code ?? "usage";
    sink.write(`${JSON.stringify({ code, message: problems.map(sentence).join("; "), problems })}\n`);
  }
  return exitCodes.usage;
}

function stackOf(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  while (current instanceof Error && parts.length < 8) {
    parts.push(current.stack ?? `${current.name}: ${current.message}`);
    current = current.cause;
  }
  if (typeof current === "string" || (typeof current === "object" && current !== null))
    parts.push(JSON.stringify(current));
  return parts.join("\ncaused by: ");
}
