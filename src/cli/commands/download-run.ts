import { open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { BackupReference } from "../../contract/service.ts";
import { Failure } from "../../core/failure.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ExitCode } from "../exit-codes.ts";
import { size } from "../humanise.ts";
import { printable } from "../terminal.ts";

interface DownloadWish {
  /** `-`: standard output; undefined: the last part of the path, in the current folder. */
  readonly out: string | undefined;
  readonly force: boolean;
}

const standardOutput = 1;

/**
 * The bytes go from the worker to the file descriptor, not through this process. A file appears under its
 * name only when it is whole; an existing one is replaced only with `force`.
 */
export async function download(
  context: CommandContext,
  reference: BackupReference,
  path: string,
  wish: DownloadWish,
): Promise<ExitCode> {
  if (wish.out === "-") {
    if (context.out.isTerminal && !wish.force) {
      throw new Failure(
        "refused-overwrite",
        "Not written: standard output is a terminal, and these bytes could garble it. Use -o FILE, a pipe, or --force.",
      );
    }
    return await downloadToStandardOutput(context, reference, path);
  }
  const target = resolve(wish.out ?? basename(path));
  await refuseOccupied(target, wish.force);
  const { bytes, sha256 } = await downloadToFile(context, reference, path, target, wish.force);
  context.note(`${printable(target)}: ${size(bytes)}, SHA-256 ${sha256}`);
  return exitCodes.done;
}

async function downloadToStandardOutput(
  context: CommandContext,
  reference: BackupReference,
  path: string,
): Promise<ExitCode> {
  const service = await context.service();
  const waiting = context.waiting();
  try {
    await service.downloadBackup(reference, path, standardOutput, waiting);
    return exitCodes.done;
  } catch (error) {
    // The reader (`| head`, `| pg_restore -l`) went away with what it wanted: nothing to say, but not all was written.
    const cut = error instanceof Failure && error.code === "cancelled" && !waiting.signal.aborted;
    if (cut) return exitCodes.failed;
    throw error;
  }
}

async function refuseOccupied(target: string, force: boolean): Promise<void> {
  const found = await stat(target).catch(() => undefined);
  if (found === undefined) return;
  if (found.isDirectory()) {
    throw new Failure("refused-overwrite", `Not written: ${target} is a folder. Name a file in it with -o.`);
  }
  if (!force) {
    throw new Failure(
      "refused-overwrite",
      `Not written: ${target} exists. Choose another name with -o, or replace it with --force.`,
    );
  }
}

async function downloadToFile(
  context: CommandContext,
  reference: BackupReference,
  path: string,
  target: string,
  force: boolean,
): Promise<{ bytes: number; sha256: string }> {
  const temporary = join(dirname(target), `.${basename(target)}.lc2-${process.pid}`);
  const service = await context.service();
  const file = await open(temporary, "wx", 0o600).catch((error: unknown) => {
    throw new Failure(
      "store-failed",
      `Cannot write into ${dirname(target)}: ${reasonOf(error)}. Choose another place with -o.`,
      {
        cause: error,
      },
    );
  });
  try {
    let result;
    try {
      result = await service.downloadBackup(reference, path, file.fd, context.waiting());
      await file.sync();
    } finally {
      await file.close();
    }
    // Somebody else may have made the file meanwhile.
    await refuseOccupied(target, force);
    await rename(temporary, target);
    return result;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
