import type { CliHost, DoctorCheck } from "../../src/cli/host.ts";
import type { Terminal, TextSink } from "../../src/cli/terminal.ts";
import { commandTree } from "../../src/cli/command-tree.ts";
import { runCommandLine } from "../../src/cli/program.ts";
import { createMemoryService, createMemoryWorld } from "./memory-service.ts";
import type { MemoryWorld } from "./memory-service.ts";

interface MemorySink extends TextSink {
  readonly text: () => string;
  /** From now on the sink is closed, like a pipe whose reader went away. */
  readonly close: () => void;
}

export function createMemorySink(options: { terminal?: boolean; columns?: number } = {}): MemorySink {
  const parts: string[] = [];
  let closed = false;
  return {
    isTerminal: options.terminal ?? false,
    colour: options.terminal ?? false,
    columns: () => options.columns ?? 80,
    write: (text) => {
      parts.push(text);
    },
    closed: () => closed,
    text: () => parts.join(""),
    close: () => {
      closed = true;
    },
  };
}

export interface CommandLineRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly world: MemoryWorld;
}

export interface RunOptions {
  readonly world?: MemoryWorld;
  readonly terminal?: boolean;
  readonly usesServer?: boolean;
  readonly columns?: number;
  /** The reader of standard output went away. */
  readonly stdoutClosed?: boolean;
  /** Standard input is a terminal, and this is what is typed. */
  readonly answers?: string[];
  readonly input?: string;
  readonly checks?: readonly DoctorCheck[];
  /** Is given the controller that Ctrl-C would abort. */
  readonly onCancellable?: (controller: AbortController) => void;
}

/** A command line as a shell would split it, without quotes. */
export const wordsOf = (line: string): string[] => line.trim().split(/\s+/);

/** Runs one command line in memory, at 2026-11-24 15:00:00 UTC. */
export async function runInMemory(
  words: readonly string[],
  options: RunOptions = {},
): Promise<CommandLineRun> {
  const world = options.world ?? createMemoryWorld();
  const sinkOptions = {
    ...(options.terminal === undefined ? {} : { terminal: options.terminal }),
    ...(options.columns === undefined ? {} : { columns: options.columns }),
  };
  const stdout = createMemorySink(sinkOptions);
  const stderr = createMemorySink(sinkOptions);
  if (options.stdoutClosed === true) stdout.close();
  const answers = [...(options.answers ?? [])];
  const terminal: Terminal = {
    stdout,
    stderr,
    stdinIsTerminal: options.answers !== undefined,
    ask: async (question) => {
      stderr.write(question);
      return await Promise.resolve(answers.shift() ?? "");
    },
    readAll: async () => await Promise.resolve(options.input ?? ""),
  };
  const host: CliHost = {
    version: "0.1.0",
    terminal,
    usesServer: options.usesServer ?? false,
    contexts: {
      path: "/home/ada/.config/lc2/contexts.json",
      read: () => world.contexts,
      write: async (contexts) => {
        world.contexts = contexts;
        await Promise.resolve();
      },
    },
    nowMs: () => Date.parse("2026-11-24T15:00:00.000Z"),
    dataDirectory: (wish) => wish ?? "/var/lib/lc2",
    openService: async ({ dataDirectory }) => {
      world.dataDirectory = dataDirectory;
      return await Promise.resolve(createMemoryService(world));
    },
    cancelOnSignal: (controller) => options.onCancellable?.(controller),
    diagnose: async () => await Promise.resolve(options.checks ?? []),
    runDemo: async ({ keep }) => await Promise.resolve(keep ? 7 : 0),
    serve: async (wish) => {
      world.served = wish;
      await Promise.resolve();
    },
    runWorker: async () => await Promise.resolve(),
  };
  const exitCode = await runCommandLine(words, commandTree, host);
  return { exitCode, stdout: stdout.text(), stderr: stderr.text(), world };
}
