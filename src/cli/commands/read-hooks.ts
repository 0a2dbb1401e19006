import type { BackupSpec, RestoreSpec } from "../../contract/operations.ts";
import { backupHooksFile, restoreHooksFile } from "../../contract/rest/hooks.ts";
import { Failure } from "../../core/failure.ts";
import type { CommandContext } from "../context.ts";
import { printable } from "../terminal.ts";
import { readDefinitionFile } from "./definition-file.ts";

/** The hooks that a file gives a backup: alone, or as a whole request has them. */
export async function readBackupHooks(
  context: CommandContext,
  file: string,
): Promise<Pick<BackupSpec, "preBackupHooks" | "postBackupHooks">> {
  const {
    spec,
    preBackupHooks = [],
    postBackupHooks = [],
  } = await readDefinitionFile(context, file, backupHooksFile);
  const before = [
    ...preBackupHooks,
    ...(spec?.preBackupHooks ?? []),
    ...(spec?.database?.preBackupHooks ?? []),
  ];
  const after = [...postBackupHooks, ...(spec?.postBackupHooks ?? [])];
  if (before.length + after.length === 0) throw noHooks(file, "preBackupHooks or postBackupHooks");
  return { preBackupHooks: before, postBackupHooks: after };
}

/** The hooks that a file gives a restore. */
export async function readRestoreHooks(
  context: CommandContext,
  file: string,
): Promise<Pick<RestoreSpec, "preRestoreHooks" | "postRestoreHooks">> {
  const {
    spec,
    preRestoreHooks = [],
    postRestoreHooks = [],
  } = await readDefinitionFile(context, file, restoreHooksFile);
  const before = [...preRestoreHooks, ...(spec?.preRestoreHooks ?? [])];
  const after = [...postRestoreHooks, ...(spec?.postRestoreHooks ?? [])];
  if (before.length + after.length === 0) throw noHooks(file, "preRestoreHooks or postRestoreHooks");
  return { preRestoreHooks: before, postRestoreHooks: after };
}

/** Hooks that were meant and do not run would be missed too late. */
const noHooks = (file: string, members: string): Failure =>
  new Failure(
    "request-invalid",
    `${printable(file)} has no ${members}. Write them at its top, or below spec.`,
  );
