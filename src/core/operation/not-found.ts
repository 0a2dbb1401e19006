import { Failure } from "../failure.ts";

export const restoreNotFound = (restoreId: string): Failure =>
  new Failure(
    "restore-not-found",
    `No restore "${restoreId}" is known. \`lc2 restore list\` shows what there is.`,
  );

export const copyNotFound = (copyId: string): Failure =>
  new Failure("copy-not-found", `No copy "${copyId}" is known. \`lc2 copy list\` shows what there is.`);
