import type { Lc2Service, LogLine, ServiceEvent, Waiting } from "../contract/service.ts";
import type { Group } from "./command.ts";
import type { CliHost } from "./host.ts";
import type { OutputFormat } from "./output.ts";
import { writeValue } from "./output.ts";
import { createProgressView } from "./progress.ts";
import type { ProgressView } from "./progress.ts";
import { paintFor } from "./terminal.ts";
import type { Paint, TextSink } from "./terminal.ts";

/** Everything common to the commands of one run. */
export interface CommandContext {
  readonly host: CliHost;
  /** Every command, for what is generated from them. */
  readonly tree: Group;
  /** "backup create": for messages and hints. */
  readonly commandName: string;
  readonly format: OutputFormat;
  /** Absolute. */
  readonly dataDirectory: string;
  /** `--data-dir DIR ` when it was given: printed commands must find the same catalog. */
  readonly dataDirectoryFlag: string;
  /** Results, for people: standard output. */
  readonly out: TextSink;
  /** Progress, warnings, questions: standard error. */
  readonly err: TextSink;
  readonly paint: Paint;
  /** Columns of standard output where it is a terminal. */
  readonly width: number | undefined;
  /** Opens the service on first use; closed when the command ends. */
  service(): Promise<Lc2Service>;
  /** For methods that wait: shows progress and lets Ctrl-C cancel. */
  waiting(options?: WaitingOptions): Waiting;
  /** Writes `value` in the program's format, or `people` as a page for people. */
  print(value: unknown, people: () => string): void;
  /** A line for people beside the result: standard error, above any live lines. */
  note(line: string): void;
  /** A question on a terminal, above any live lines; true for yes. Without a terminal nothing is asked: true. */
  confirm(question: string): Promise<boolean>;
}

export interface WaitingOptions {
  /** Sees every event after it was shown. */
  readonly onEvent?: (event: ServiceEvent) => void;
}

export interface RunningContext extends CommandContext {
  /** Ends live lines and closes the service. Idempotent. */
  finish(): Promise<void>;
}

interface ContextOptions {
  readonly tree: Group;
  readonly commandName: string;
  readonly format: OutputFormat;
  readonly dataDirectoryWish: string | undefined;
  readonly quiet: boolean;
}

export function createContext(host: CliHost, options: ContextOptions): RunningContext {
  const { stdout: out, stderr: err } = host.terminal;
  const dataDirectory = host.dataDirectory(options.dataDirectoryWish);
  let service: Promise<Lc2Service> | undefined;
  let view: ProgressView | undefined;
  let controller: AbortController | undefined;
  const note = (line: string): void => {
    if (view === undefined) err.write(`${line}\n`);
    else view.note(line);
  };
  const onNotice = (line: LogLine): void => {
    if (line.level === "info") {
      if (!options.quiet) note(line.message);
    } else {
      note(`${paintFor(err).yellow("warning:")} ${line.message}`);
    }
  };
  return {
    host,
    tree: options.tree,
    commandName: options.commandName,
    format: options.format,
    dataDirectory,
    dataDirectoryFlag: options.dataDirectoryWish === undefined ? "" : `--data-dir ${dataDirectory} `,
    out,
    err,
    paint: paintFor(out),
    width: out.isTerminal ? out.columns() : undefined,
    service: () => {
      service ??= host.openService({ dataDirectory, onNotice });
      return service;
    },
    waiting: ({ onEvent } = {}) => {
      view ??= createProgressView(err, { nowMs: host.nowMs, quiet: options.quiet });
      if (controller === undefined) {
        controller = new AbortController();
        controller.signal.addEventListener("abort", () => note("Cancelling… (once more to stop at once)"));
        host.cancelOnSignal(controller);
      }
      const shown = view;
      return {
        signal: controller.signal,
        onEvent: (event) => {
          shown.onEvent(event);
          onEvent?.(event);
        },
      };
    },
    print: (value, people) => {
      view?.stop();
      if (options.format === "json" || options.format === "yaml") writeValue(out, options.format, value);
      else out.write(people());
    },
    note,
    confirm: async (question) => {
      if (!host.terminal.stdinIsTerminal) return true;
      view?.stop();
      const answer = await host.terminal.ask(`${question} [y/N] `);
      return /^y(?:es)?$/i.test(answer.trim());
    },
    finish: async () => {
      view?.stop();
      const opened = service;
      service = undefined;
      if (opened !== undefined) await (await opened.catch(() => undefined))?.close();
    },
  };
}
