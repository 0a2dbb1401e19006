import { defineCommand, defineGroup, operand } from "../command.ts";
import { cancelDryRunOption, pagingOptions, projectFilter } from "./shared-options.ts";

const copyIdOperand = operand("<copyId>", "as `lc2 copy list` shows it");

const listCommand = defineCommand({
  name: "list",
  summary: "list copies of backups, newest first: running, done, failed",
  description: "`lc2 backup copy` makes one.",
  output: ["table", "json", "yaml", "name", "wide"],
  arguments: {},
  options: { project: projectFilter, ...pagingOptions },
  run: async (context, { options: { project, limit, offset } }) => {
    const found = await (
      await context.service()
    ).listCopies({
      limit,
      ...(offset === 0 ? {} : { offset }),
      ...(project === undefined ? {} : { projectId: project }),
    });
    const { showCopies } = await import("../pages/copy-list.ts");
    context.print(found, () => showCopies(found.copies, context));
    const { noteMore } = await import("../pages/note-more.ts");
    noteMore(context, { offset, shown: found.copies.length, total: found.total });
  },
});

const getCommand = defineCommand({
  name: "get",
  summary: "show one copy in a line",
  output: ["table", "json", "yaml", "name", "wide"],
  arguments: { copyId: copyIdOperand },
  options: {},
  run: async (context, { arguments: { copyId } }) => {
    const view = await (await context.service()).getCopy(copyId);
    const { showCopies } = await import("../pages/copy-list.ts");
    context.print(view, () => showCopies([view], context));
  },
});

const describeCommand = defineCommand({
  name: "describe",
  summary: "show everything known of one copy",
  output: ["table", "json", "yaml"],
  arguments: { copyId: copyIdOperand },
  options: {},
  run: async (context, { arguments: { copyId } }) => {
    const view = await (await context.service()).getCopy(copyId);
    const { describeCopy } = await import("../pages/copy-page.ts");
    context.print(view, () => describeCopy(view, context));
  },
});

const logsCommand = defineCommand({
  name: "logs",
  summary: "show what was said while a copy ran",
  output: ["table", "json", "yaml"],
  arguments: { copyId: copyIdOperand },
  options: {},
  run: async (context, { arguments: { copyId } }) => {
    const lines = await (await context.service()).copyLogs(copyId);
    const { showLogs } = await import("../pages/logs.ts");
    context.print({ lines }, () => showLogs(lines, context.paint));
  },
});

const cancelCommand = defineCommand({
  name: "cancel",
  summary: "cancel a copy that is running",
  output: ["table", "json", "yaml", "name"],
  arguments: { copyId: copyIdOperand },
  options: { dryRun: cancelDryRunOption },
  run: async (context, { arguments: { copyId }, options: { dryRun } }) => {
    const service = await context.service();
    if (dryRun) {
      const { showCancellation } = await import("../pages/cancellation.ts");
      return showCancellation(await service.getCopy(copyId), context);
    }
    const view = await service.cancelCopy(copyId);
    const { showCopies } = await import("../pages/copy-list.ts");
    context.print(view, () => showCopies([view], context));
  },
});

export const copyGroup = defineGroup("copy", "look at and cancel the copying of backups", [
  listCommand,
  getCommand,
  describeCommand,
  logsCommand,
  cancelCommand,
]);
