/**
 * Commands as data. A command states its arguments and options once; parsing, validation (every problem at
 * once), help, shell completion and the reference page all come from that statement.
 */
import type { FailureCode } from "../core/failure.ts";
import type { CommandContext } from "./context.ts";
import type { ExitCode } from "./exit-codes.ts";
import type { OutputFormat } from "./output.ts";

/** One thing wrong with a command line. `subject` is the option or argument as written in the help. */
export interface Problem {
  readonly subject?: string;
  readonly code: FailureCode;
  readonly message: string;
}

/** Thrown by value parsers; becomes a `Problem` of the option it was given to. */
export class InvalidValue extends Error {
  readonly code: FailureCode;

  constructor(message: string, code: FailureCode = "usage") {
    super(message);
    this.name = "InvalidValue";
    this.code = code;
  }
}

export type Parse<V> = (text: string) => V;

/** What a shell may offer for a value. */
export type Completion = "file" | "directory" | readonly string[];

interface Described {
  readonly description: string;
  readonly complete?: Completion;
  readonly hidden?: boolean;
}

export interface OptionSpec<V> extends Described {
  /** As commander and the help write it: `-o, --output <format>`. */
  readonly flags: string;
  readonly kind: "flag" | "value" | "list";
  /** Shown in the help. */
  readonly defaultText?: string;
  /** From what was written (a flag: whether it was) to the value; throws `InvalidValue`. */
  readonly read: (raw: RawValue) => V;
}

/** What commander found: true for a flag or a value left out, a string, strings, or nothing. */
export type RawValue = boolean | string | readonly string[] | undefined;

export interface ArgumentSpec<V> extends Described {
  /** `<backupId>` or `[path]`. */
  readonly term: string;
  readonly read: (raw: string | undefined) => V;
}

type Options = Readonly<Record<string, OptionSpec<unknown>>>;
type Arguments = Readonly<Record<string, ArgumentSpec<unknown>>>;
export type OptionValues<O extends Options> = {
  readonly [K in keyof O]: O[K] extends OptionSpec<infer V> ? V : never;
};
export type ArgumentValues<A extends Arguments> = {
  readonly [K in keyof A]: A[K] extends ArgumentSpec<infer V> ? V : never;
};

/** What a command's `run` is given. */
export interface Input<O extends Options, A extends Arguments> {
  readonly options: OptionValues<O>;
  readonly arguments: ArgumentValues<A>;
}

export interface Example {
  readonly command: string;
  readonly says: string;
}

interface CommandStatement<O extends Options, A extends Arguments> {
  readonly name: string;
  readonly summary: string;
  /** More than the summary, for the help and the reference. */
  readonly description?: string;
  readonly examples?: readonly Example[];
  readonly hidden?: boolean;
  /** Formats of `-o`; none: the command has no such option. The first is the default. */
  readonly output?: readonly OutputFormat[];
  readonly arguments: A;
  readonly options: O;
  /**
   * Problems between options. An option that is wrong by itself is here as it was written, so look at
   * whether options are given rather than into them; what is said about such an option is left out.
   */
  readonly check?: (input: Input<O, A>) => readonly Problem[];
  /** Does the work; resolves with the exit code (nothing: done), rejects with a `Failure`. */
  readonly run: (context: CommandContext, input: Input<O, A>) => Promise<ExitCode | void>;
}

/** A command with its types closed over, ready for a tree. */
export interface Command {
  readonly type: "command";
  readonly name: string;
  readonly summary: string;
  readonly description?: string;
  readonly examples: readonly Example[];
  readonly hidden: boolean;
  readonly output: readonly OutputFormat[];
  readonly arguments: readonly ArgumentSpec<unknown>[];
  readonly options: readonly OptionSpec<unknown>[];
  /** Everything wrong with what was written, or a function that does the work. */
  readonly prepare: (raw: RawInput) => Prepared;
}

export type Prepared =
  | { readonly ok: true; readonly run: (context: CommandContext) => Promise<ExitCode | void> }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface RawInput {
  readonly operands: readonly string[];
  /** What commander found for an option, by its flags. */
  readonly option: (flags: string) => RawValue;
}

/** A noun with its verbs. */
export interface Group {
  readonly type: "group";
  readonly name: string;
  readonly summary: string;
  readonly members: readonly (Command | Group)[];
}

export function defineGroup(name: string, summary: string, members: readonly (Command | Group)[]): Group {
  return { type: "group", name, summary, members };
}

export function defineCommand<O extends Options, A extends Arguments>(
  statement: CommandStatement<O, A>,
): Command {
  return {
    type: "command",
    name: statement.name,
    summary: statement.summary,
    ...(statement.description === undefined ? {} : { description: statement.description }),
    examples: statement.examples ?? [],
    hidden: statement.hidden ?? false,
    output: statement.output ?? [],
    arguments: Object.values(statement.arguments),
    options: Object.values(statement.options),
    prepare: (raw) => prepare(statement, raw),
  };
}

function prepare<O extends Options, A extends Arguments>(
  statement: CommandStatement<O, A>,
  raw: RawInput,
): Prepared {
  const problems: Problem[] = [];
  const attempt = (subject: string, written: RawValue, read: () => unknown): unknown => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error;
      problems.push({ subject, code: error.code, message: error.message });
      // Stands in for the value in `check`, which then still sees that the option was given.
      return written;
    }
  };
  const declared = Object.entries(statement.arguments);
  const argumentValues = Object.fromEntries(
    declared.map(([name, spec], index) => {
      const written = raw.operands[index];
      return [name, attempt(spec.term, written, () => spec.read(written))];
    }),
  );
  const excess = raw.operands.slice(declared.length);
  if (excess.length > 0) problems.push(excessArguments(excess));
  const optionValues = Object.fromEntries(
    Object.entries(statement.options).map(([name, spec]) => {
      const written = raw.option(spec.flags);
      return [name, attempt(longFlag(spec.flags), written, () => spec.read(written))];
    }),
  );
  // Every entry was read by its own spec just above; TypeScript cannot follow that through fromEntries.
  const input = { options: optionValues as OptionValues<O>, arguments: argumentValues as ArgumentValues<A> };
  const wrong = new Set(problems.map(({ subject }) => subject).filter((subject) => subject !== undefined));
  const between = statement.check?.(input) ?? [];
  problems.push(...between.filter(({ subject }) => subject === undefined || !wrong.has(subject)));
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, run: (context) => statement.run(context, input) };
}

function excessArguments(excess: readonly string[]): Problem {
  const named = excess.slice(0, 3).map((word) => JSON.stringify(word));
  const more = excess.length > named.length ? ` and ${excess.length - named.length} more` : "";
  return {
    code: "usage",
    message: `nothing is expected at ${named.join(", ")}${more}; quote patterns ('*.log') so that the shell leaves them alone`,
  };
}

/** `-o, --output <format>` → `--output`. */
export function longFlag(flags: string): string {
  return /--[a-z0-9-]+/.exec(flags)?.[0] ?? flags;
}

// --- kinds of options and arguments ---------------------------------------------------------------

type Details = Omit<Described, "description">;

export function flag(flags: string, description: string, details: Details = {}): OptionSpec<boolean> {
  return { flags, description, kind: "flag", read: (raw) => raw === true, ...details };
}

/** One value; undefined where the option is not given. */
export function value<V>(
  flags: string,
  description: string,
  parse: Parse<V>,
  details: Details = {},
): OptionSpec<V | undefined> {
  return {
    flags,
    description,
    kind: "value",
    read: (raw) => (raw === undefined ? undefined : parse(written(raw))),
    ...details,
  };
}

/** One value with a default, itself written as a person would. */
export function valueOr<V>(
  flags: string,
  description: string,
  parse: Parse<V>,
  defaultText: string,
  details: Details = {},
): OptionSpec<V> {
  return {
    flags,
    description,
    kind: "value",
    defaultText,
    read: (raw) => parse(raw === undefined ? defaultText : written(raw)),
    ...details,
  };
}

/** One value that must be given. */
export function required<V>(
  flags: string,
  description: string,
  parse: Parse<V>,
  details: Details = {},
): OptionSpec<V> {
  return {
    flags,
    description: `${description} (required)`,
    kind: "value",
    read: (raw) => {
      if (raw === undefined) throw new InvalidValue("must be given");
      return parse(written(raw));
    },
    ...details,
  };
}

/** May be repeated. */
export function list<V>(
  flags: string,
  description: string,
  parse: Parse<V>,
  details: Details = {},
): OptionSpec<readonly V[]> {
  return {
    flags,
    description: `${description}; may be repeated`,
    kind: "list",
    read: (raw) => {
      if (raw === undefined) return [];
      if (typeof raw === "boolean") throw new InvalidValue("needs a value");
      return (typeof raw === "string" ? [raw] : raw).map((text) => parse(written(text)));
    },
    ...details,
  };
}

function written(raw: RawValue): string {
  if (typeof raw !== "string") throw new InvalidValue("needs a value");
  if (raw.trim() === "") throw new InvalidValue("needs a value that is not empty");
  return raw;
}

export function operand(term: string, description: string, details: Details = {}): ArgumentSpec<string> {
  return {
    term,
    description,
    read: (raw) => {
      if (raw === undefined || raw === "") throw new InvalidValue("must be given");
      return raw;
    },
    ...details,
  };
}

export function optionalOperand<V>(
  term: string,
  description: string,
  parse: Parse<V>,
  details: Details = {},
): ArgumentSpec<V | undefined> {
  return {
    term,
    description,
    read: (raw) => (raw === undefined ? undefined : parse(written(raw))),
    ...details,
  };
}
