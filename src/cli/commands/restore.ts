import type { CommandContext } from "../context.ts";
import { defineCommand, defineGroup, flag, value } from "../command.ts";
import { planHash } from "../option-values.ts";
import { restoreOptions, restoreProblems, toRestoreWish } from "./restore-options.ts";
import { operationCommands } from "./operation-commands.ts";
import { hooksOption, noWaitOption, restoreIdOperand } from "./shared-options.ts";

const planCommand = defineCommand({
  name: "plan",
  summary: "say everything a restore would do, and do nothing",
  description: "What stands in the way is marked and ends with exit code 3. The same plan has the same hash.",
  examples: [
    {
      command:
        "lc2 restore plan --from <backupId> --database postgres://app@db/lportal --files /srv/liferay/dl",
      says: "both back to where they were",
    },
  ],
  output: ["table", "json", "yaml"],
  arguments: {},
  options: restoreOptions,
  check: restoreProblems,
  run: async (context, input) => {
    const { planRestore } = await import("./restore-run.ts");
    await planRestore(context, await toRestoreWish(await context.service(), input), input.options.repository);
  },
});

const createCommand = defineCommand({
  name: "create",
  summary: "restore a backup, after showing the plan",
  description:
    "Plans, shows the plan (on a terminal it asks), restores, verifies, and says how to undo it. Until the last step " +
    "the running database is untouched.",
  examples: [
    {
      command: "lc2 restore create --from <backupId> --database postgres://app@db/lportal",
      says: "the database alone",
    },
    {
      command: "lc2 restore create --from <backupId> --files /srv/dl --include 'reports/**'",
      says: "one folder out of a backup",
    },
  ],
  output: ["table", "json", "yaml", "name"],
  arguments: {},
  options: {
    ...restoreOptions,
    hooks: hooksOption("preRestoreHooks and postRestoreHooks"),
    approve: value("--approve <hash>", "run only if the plan still has this hash; does not ask", planHash),
    dryRun: flag("--dry-run", "stop after the plan, as `lc2 restore plan`"),
    yes: flag("-y, --yes", "do not ask"),
    noWait: noWaitOption,
  },
  check: restoreProblems,
  run: async (context, input) => {
    const { createRestore, planRestore } = await import("./restore-run.ts");
    const { repository, approve, yes, dryRun, noWait, hooks } = input.options;
    const bare = await toRestoreWish(await context.service(), input);
    const spec = hooks === undefined ? bare : { ...bare, ...(await readHooks(context, hooks)) };
    if (dryRun) await planRestore(context, spec, repository, approve);
    else await createRestore(context, spec, { repository, approve, yes, noWait });
  },
});

async function readHooks(context: CommandContext, file: string) {
  const { readRestoreHooks } = await import("./read-hooks.ts");
  return await readRestoreHooks(context, file);
}

const undoCommand = defineCommand({
  name: "undo",
  summary: "take a restore back: the old database and the overwritten files",
  description: "What the restore brought is kept under another name, so that undoing loses nothing either.",
  output: ["table", "json", "yaml"],
  arguments: { restoreId: restoreIdOperand },
  options: {
    dryRun: flag("--dry-run", "say what would be taken back, change nothing"),
    yes: flag("-y, --yes", "do not ask"),
  },
  run: async (context, { arguments: { restoreId }, options }) => {
    const { undoRestore } = await import("./restore-run.ts");
    await undoRestore(context, restoreId, options);
  },
});

export const restoreGroup = defineGroup("restore", "plan, run and undo restores", [
  planCommand,
  createCommand,
  undoCommand,
  ...operationCommands({
    noun: "restore",
    list: { summary: "list restores, newest first" },
    describe: { summary: "show everything known of one restore, its plan included" },
    id: restoreIdOperand,
    readPage: async (service, query) => await service.listRestores(query),
    viewsOf: ({ restores }) => restores,
    read: async (service, id) => await service.getRestore(id),
    readLogs: async (service, id) => await service.restoreLogs(id),
    cancel: async (service, id) => await service.cancelRestore(id),
    loadTable: async () => (await import("../pages/restore-list.ts")).showRestores,
    loadPage: async () => (await import("../pages/restore-page.ts")).describeRestore,
  }),
]);
