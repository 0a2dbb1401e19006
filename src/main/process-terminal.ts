import { createInterface } from "node:readline/promises";
import type { Terminal, TextSink } from "../cli/terminal.ts";
import type { Environment } from "./config.ts";

/** The terminal (or pipes) this process was started with. */
export function openProcessTerminal(env: Environment): Terminal {
  return {
    stdout: sinkOf(process.stdout, env),
    stderr: sinkOf(process.stderr, env),
    stdinIsTerminal: process.stdin.isTTY === true,
    ask: async (question) => {
      const lines = createInterface({ input: process.stdin, output: process.stderr });
      try {
        const ended = new Promise<string>((resolve) => {
          lines.once("close", () => resolve(""));
        });
        lines.once("SIGINT", () => {
          process.stderr.write("\n");
          lines.close();
        });
        return await Promise.race([lines.question(question), ended]);
      } finally {
        lines.close();
      }
    },
    readAll: async () => {
      const parts: Buffer[] = [];
      for await (const part of process.stdin) parts.push(Buffer.from(part as Uint8Array));
      return Buffer.concat(parts).toString("utf8");
    },
  };
}

function sinkOf(stream: NodeJS.WriteStream, env: Environment): TextSink {
  const isTerminal = stream.isTTY === true;
  let closed = false;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    closed = true;
    // `| head` has read enough, or the terminal went away: not our failure, and nothing to say about it. The
    // same for standard error, where there is nobody left to tell.
    if (stream === process.stderr || error.code === "EPIPE" || error.code === "EIO") return;
    // A result that could not be written (a full disk) was not delivered.
    process.stderr.write(`lc2: standard output cannot be written: ${error.message}\n`);
    process.exit(1);
  });
  // https://no-color.org: present and not empty.
  const colour = isTerminal && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
  return {
    isTerminal,
    colour,
    columns: () => stream.columns || 80,
    write: (text) => {
      if (!closed) stream.write(text);
    },
    closed: () => closed,
  };
}
