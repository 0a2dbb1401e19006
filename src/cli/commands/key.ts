import { defineCommand, defineGroup, flag, optionalOperand, value } from "../command.ts";
import { text } from "../option-values.ts";
import { newRepositoryOption, projectOption } from "./shared-options.ts";

const outOption = value(
  "-o, --out <file>",
  "write it there, readable by you alone (default: standard output)",
  text,
  {
    complete: "file",
  },
);
const forceOption = flag("--force", "replace an existing file");

const rotateCommand = defineCommand({
  name: "rotate",
  summary: "make a new key for a project and wrap the keys of its backups with it",
  description:
    "No data moves. The former key is kept for what other repositories hold. Run again if it was interrupted.",
  output: ["table", "json", "yaml"],
  arguments: {},
  options: {
    project: projectOption,
    repository: newRepositoryOption,
    dryRun: flag("--dry-run", "say how many backups it concerns, change nothing"),
  },
  run: async (context, { options }) => {
    const { rotateKey } = await import("./key-run.ts");
    await rotateKey(context, options);
  },
});

const exportCommand = defineCommand({
  name: "export",
  summary: "print the keys of a project, fit for paper",
  description:
    "Whoever has this text can read the project's backups; without it, on a new machine, nobody can.",
  examples: [{ command: "lc2 key export --project retail -o retail.key", says: "keep it in another place" }],
  arguments: {},
  options: { project: projectOption, out: outOption, force: forceOption },
  run: async (context, { options }) => {
    const { exportKey } = await import("./key-run.ts");
    await exportKey(context, options);
  },
});

const importCommand = defineCommand({
  name: "import",
  summary: "bring in keys that `key export` printed",
  description:
    "From a file or, without one, from standard input. Keys that are known already are left alone.",
  output: ["table", "json", "yaml"],
  arguments: {
    file: optionalOperand("[file]", "the exported text; - is standard input", text, { complete: "file" }),
  },
  options: { dryRun: flag("--dry-run", "say which keys would be added, add none") },
  run: async (context, { arguments: { file }, options }) => {
    const { importKey } = await import("./key-run.ts");
    await importKey(context, file, options);
  },
});

const recoveryCreateCommand = defineCommand({
  name: "create",
  summary: "make an offline recovery key, a second way into every backup made from now on",
  description: "Its private half is printed once and kept nowhere: put it where no machine can reach it.",
  arguments: {},
  options: { project: projectOption, out: outOption, force: forceOption },
  run: async (context, { options }) => {
    const { createRecoveryKey } = await import("./key-run.ts");
    await createRecoveryKey(context, options);
  },
});

export const keyGroup = defineGroup("key", "keep, move and change the keys of projects", [
  rotateCommand,
  exportCommand,
  importCommand,
  defineGroup("recovery", "offline recovery keys", [recoveryCreateCommand]),
]);
