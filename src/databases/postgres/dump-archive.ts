import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../../core/failure.ts";
import type { ArchiveSummary } from "./archive-walker.ts";
import { ArchiveWalker } from "./archive-walker.ts";
import { LockWatch } from "./blockers.ts";
import { toolEnvironment, type Connection, type Environment } from "../../postgres/connection.ts";
import { dumpFailure } from "./dump-failure.ts";
import { largeWrites } from "./large-writes.ts";
import { openPipe, readPieces } from "./pipe.ts";
import type { ToolSet } from "./tools.ts";

export interface DumpArchiveOptions {
  readonly connection: Connection;
  readonly tools: ToolSet;
  readonly env: Environment;
  readonly applicationName: string;
  readonly snapshotId: string;
  readonly lockTimeoutMs: number;
  /** What this archive holds: arguments for pg_dump after the common ones. */
  readonly selection: readonly string[];
  /** A private folder for the pipe's name. */
  readonly scratchDirectory: string;
  readonly buffers: readonly Buffer[];
  /**
   * Takes the next piece of the archive, of which the first `headBytes` belong to its head. The piece's
   * buffer is used again once the promise is settled.
   */
  readonly take: (piece: Buffer, headBytes: number) => Promise<void>;
  readonly pace?: (bytes: number) => Promise<void> | undefined;
  readonly onWarning: (line: string) => void;
  /** False for a line on standard error that is of no interest. */
  readonly keepLine?: (line: string) => boolean;
  readonly signal: AbortSignal;
}

export interface DumpedArchive {
  readonly summary: ArchiveSummary;
  /** What pg_dump said on standard error; bounded. */
  readonly warnings: readonly string[];
}

/**
 * Runs pg_dump on a snapshot and hands its archive on as it comes, looked through on the way. Resolves only
 * when pg_dump said success and the archive is whole. On abort or any failure the process and its query
 * are ended before this rejects.
 */
export async function dumpArchive(options: DumpArchiveOptions): Promise<DumpedArchive> {
  options.signal.throwIfAborted();
  const pipe = await openPipe(join(options.scratchDirectory, `dump-${randomUUID()}`));
  const child = startPgDump(options, pipe.writeEnd);
  closeSync(pipe.writeEnd);
  const said = collectLines(child, options);
  const exited = waitForExit(child);
  const walker = new ArchiveWalker();
  const watch = new LockWatch(options.connection, undefined, options.applicationName, options.onWarning);
  try {
    const take = (piece: Buffer): Promise<void> => {
      const before = walker.bytes;
      walker.push(piece);
      // The table of contents comes when all locks are held.
      if (walker.headBytes !== undefined) watch.stop();
      const headLeft = (walker.headBytes ?? Number.MAX_SAFE_INTEGER) - before;
      return options.take(piece, Math.max(0, Math.min(piece.length, headLeft)));
    };
    await readPieces(pipe.readEnd, { ...options, take });
    const exit = await exited;
    if (exit.code !== 0) throw dumpFailure(exit, said.lines, watch.seen, options.lockTimeoutMs);
    return { summary: walker.end(), warnings: said.lines };
  } catch (error) {
    const failedByItself = await endProcess(child, exited);
    options.signal.throwIfAborted();
    // A tool that failed explains more than the cut archive it left.
    if (failedByItself && error instanceof Failure && error.code === "dump-incomplete") {
      throw dumpFailure(failedByItself, said.lines, watch.seen, options.lockTimeoutMs);
    }
    throw error;
  } finally {
    await watch[Symbol.asyncDispose]();
  }
}

function startPgDump(options: DumpArchiveOptions, stdout: number): ChildProcess {
  const { connection, tools, env } = options;
  // With the priority of this process, which it inherits.
  return spawn(
    join(tools.directory, "pg_dump"),
    [
      "--format=custom",
      "--compress=0",
      "--no-password",
      `--snapshot=${options.snapshotId}`,
      `--lock-wait-timeout=${options.lockTimeoutMs}`,
      ...options.selection,
    ],
    {
      stdio: ["ignore", stdout, "pipe"],
      env: { ...toolEnvironment(connection, env), ...largeWrites(), PGAPPNAME: options.applicationName },
      cwd: options.scratchDirectory,
    },
  );
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It could not be started. */
  readonly error?: Error;
}

function waitForExit(child: ChildProcess): Promise<ProcessExit> {
  const { promise, resolve } = Promise.withResolvers<ProcessExit>();
  child.on("error", (error) => resolve({ code: null, signal: null, error }));
  // "close" comes when standard error has been read to its end too.
  child.on("close", (code, signal) => resolve({ code, signal }));
  return promise;
}

/**
 * SIGTERM makes pg_dump cancel its query on the server; SIGKILL follows. Gives the exit if it had failed
 * before it was told to end.
 */
async function endProcess(
  child: ChildProcess,
  exited: Promise<ProcessExit>,
): Promise<ProcessExit | undefined> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
    const exit = await exited;
    return exit.code === 0 ? undefined : exit;
  }
  child.kill("SIGTERM");
  const killer = setTimeout(() => child.kill("SIGKILL"), 2_000);
  // What a wrapper around pg_dump left running may hold standard error open; it is not waited for.
  const patience = Promise.withResolvers<void>();
  const giveUp = setTimeout(() => patience.resolve(), 3_500);
  await Promise.race([exited, patience.promise]);
  clearTimeout(killer);
  clearTimeout(giveUp);
  return undefined;
}

const mostLines = 200;
const longestLine = 500;

function collectLines(
  child: ChildProcess,
  options: Pick<DumpArchiveOptions, "onWarning" | "keepLine">,
): { readonly lines: readonly string[] } {
  const lines: string[] = [];
  let rest = "";
  const add = (line: string): void => {
    if (line === "" || lines.length >= mostLines || options.keepLine?.(line) === false) return;
    const shown = line.slice(0, longestLine);
    lines.push(shown);
    options.onWarning(shown);
  };
  child.stderr?.setEncoding("utf8");
  child.stderr?.on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = (parts.pop() ?? "").slice(0, longestLine);
    for (const part of parts) add(part);
  });
  child.stderr?.on("end", () => add(rest));
  return { lines };
}
