import { open, readFile, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { Failure } from "../../core/failure.ts";
import type { CommandContext } from "../context.ts";
import { count, counted } from "../humanise.ts";
import { renderFields } from "../table.ts";
import { paintFor, printable } from "../terminal.ts";

interface RotateOptions {
  readonly project: string;
  readonly repository: string | undefined;
  readonly dryRun: boolean;
}

export async function rotateKey(context: CommandContext, options: RotateOptions): Promise<void> {
  const service = await context.service();
  const place = options.repository === undefined ? {} : { repository: options.repository };
  const result = await service.rotateKey(
    options.project,
    { ...place, dryRun: options.dryRun },
    context.waiting(),
  );
  context.print(result, () => {
    const heading = options.dryRun
      ? `Nothing was changed. Project ${options.project} would get a new key`
      : `Project ${options.project} has a new key`;
    const fields = renderFields(
      [
        ["Key", options.dryRun ? undefined : result.keyId],
        ["Keyrings", `${count(result.rewrapped)} ${options.dryRun ? "to wrap" : "wrapped"} anew`],
        ["Current", result.alreadyCurrent === 0 ? undefined : `${count(result.alreadyCurrent)} already`],
      ],
      context,
    );
    return `${context.paint.bold(heading)}\n${fields}`;
  });
  if (!options.dryRun) {
    context.note(
      `Keep a copy of the new key: lc2 key export ${context.dataDirectoryFlag}--project ${options.project}`,
    );
  }
}

interface TextOptions {
  readonly project: string;
  readonly out: string | undefined;
  readonly force: boolean;
}

export async function exportKey(context: CommandContext, options: TextOptions): Promise<void> {
  const text = await (await context.service()).exportKey(options.project);
  await writeSecret(context, text, options);
}

export async function createRecoveryKey(context: CommandContext, options: TextOptions): Promise<void> {
  // A private half that could not be written would be lost: the place is tried first.
  const place = options.out === "-" ? undefined : options.out;
  const file = place === undefined ? undefined : await openSecretFile(place, options.force);
  const service = await context.service();
  const { keyId, privateText } = await service
    .createRecoveryKey(options.project)
    .catch(async (error: unknown) => {
      await file?.close();
      if (place !== undefined) await rm(place, { force: true });
      throw error;
    });
  const paint = paintFor(context.err);
  context.note(
    `Recovery key ${keyId} of project ${options.project}: every backup from now on can be read with it too.`,
  );
  context.note(
    paint.bold("Its private half is shown once and kept nowhere. Put it where no machine can reach it."),
  );
  if (file === undefined) context.out.write(privateText.endsWith("\n") ? privateText : `${privateText}\n`);
  else await writeAndClose(context, file, privateText, place ?? "");
}

export async function importKey(
  context: CommandContext,
  file: string | undefined,
  options: { readonly dryRun: boolean },
): Promise<void> {
  const text = await readKeyText(context, file);
  const result = await (await context.service()).importKey(text, options);
  context.print(result, () => {
    const known = result.known.length === 0 ? "" : `, ${counted(result.known.length, "key")} known already`;
    const added = `${counted(result.added.length, "key")} ${options.dryRun ? "would be added" : "added"}`;
    return `${options.dryRun ? "Nothing was changed. " : ""}Project ${result.projectId}: ${added}${known}\n`;
  });
}

async function readKeyText(context: CommandContext, file: string | undefined): Promise<string> {
  if (file === undefined || file === "-") {
    if (context.host.terminal.stdinIsTerminal) context.note("Paste the exported text, then Ctrl-D:");
    return await context.host.terminal.readAll();
  }
  return await readFile(file, "utf8").catch((error: unknown) => {
    throw new Failure(
      "key-text-unreadable",
      `Cannot read the key text ${printable(file)}: ${reasonOf(error)}.`,
      { cause: error },
    );
  });
}

async function writeSecret(context: CommandContext, text: string, options: TextOptions): Promise<void> {
  if (options.out === undefined || options.out === "-") {
    context.out.write(text.endsWith("\n") ? text : `${text}\n`);
    return;
  }
  await writeAndClose(context, await openSecretFile(options.out, options.force), text, options.out);
}

type OpenFile = Awaited<ReturnType<typeof open>>;

async function openSecretFile(name: string, force: boolean): Promise<OpenFile> {
  const path = resolve(name);
  return await open(path, force ? "w" : "wx", 0o600).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") {
      throw new Failure(
        "refused-overwrite",
        `Not written: ${path} exists. Choose another name, or replace it with --force.`,
      );
    }
    throw new Failure("store-failed", `Cannot write ${path}: ${reasonOf(error)}.`, { cause: error });
  });
}

async function writeAndClose(
  context: CommandContext,
  file: OpenFile,
  text: string,
  name: string,
): Promise<void> {
  try {
    await file.chmod(0o600);
    await file.writeFile(text.endsWith("\n") ? text : `${text}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  context.note(`Written to ${printable(resolve(name))}, readable by you alone.`);
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
