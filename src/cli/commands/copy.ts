import { defineGroup, operand } from "../command.ts";
import { operationCommands } from "./operation-commands.ts";

export const copyGroup = defineGroup(
  "copy",
  "look at and cancel the copying of backups",
  operationCommands({
    noun: "copy",
    list: {
      summary: "list copies of backups, newest first: running, done, failed",
      description: "`lc2 backup copy` makes one.",
    },
    describe: { summary: "show everything known of one copy" },
    id: operand("<copyId>", "as `lc2 copy list` shows it"),
    readPage: async (service, query) => await service.listCopies(query),
    viewsOf: ({ copies }) => copies,
    read: async (service, id) => await service.getCopy(id),
    readLogs: async (service, id) => await service.copyLogs(id),
    cancel: async (service, id) => await service.cancelCopy(id),
    loadTable: async () => (await import("../pages/copy-list.ts")).showCopies,
    loadPage: async () => (await import("../pages/copy-page.ts")).describeCopy,
  }),
);
