import type { LogLine, Lc2Service } from "../../contract/service.ts";
import { defineCommand, type Command, type operand } from "../command.ts";
import type { CommandContext } from "../context.ts";
import type { Cancellable } from "../pages/cancellation.ts";
import { cancelDryRunOption, pagingOptions, projectFilter } from "./shared-options.ts";

/** How restores and copies of backups are asked for; backups are, beside this, looked for in places. */
interface OperationWords<View extends Cancellable, Page extends { readonly total: number }> {
  /** `restore`, with its article left to the sentence. */
  readonly noun: string;
  readonly list: { readonly summary: string; readonly description?: string };
  readonly describe: { readonly summary: string };
  /** The operand `<restoreId>`. */
  readonly id: ReturnType<typeof operand>;
  readonly readPage: (
    service: Lc2Service,
    query: { readonly limit: number; readonly offset?: number; readonly projectId?: string },
  ) => Promise<Page>;
  readonly viewsOf: (page: Page) => readonly View[];
  readonly read: (service: Lc2Service, id: string) => Promise<View>;
  readonly readLogs: (service: Lc2Service, id: string) => Promise<readonly LogLine[]>;
  readonly cancel: (service: Lc2Service, id: string) => Promise<View>;
  readonly loadTable: () => Promise<(views: readonly View[], context: CommandContext) => string>;
  readonly loadPage: () => Promise<(view: View, context: CommandContext) => string>;
}

/** `list`, `get`, `describe`, `cancel` and `logs`. */
export function operationCommands<View extends Cancellable, Page extends { readonly total: number }>(
  words: OperationWords<View, Page>,
): readonly Command[] {
  const { noun } = words;
  const takesId = { arguments: { id: words.id } };
  return [
    defineCommand({
      name: "list",
      ...words.list,
      output: ["table", "json", "yaml", "name", "wide"],
      arguments: {},
      options: { project: projectFilter, ...pagingOptions },
      run: async (context, { options: { project, limit, offset } }) => {
        const page = await words.readPage(await context.service(), {
          limit,
          ...(offset === 0 ? {} : { offset }),
          ...(project === undefined ? {} : { projectId: project }),
        });
        const views = words.viewsOf(page);
        const showTable = await words.loadTable();
        context.print(page, () => showTable(views, context));
        const { noteMore } = await import("../pages/note-more.ts");
        noteMore(context, { offset, shown: views.length, total: page.total });
      },
    }),
    defineCommand({
      name: "get",
      summary: `show one ${noun} in a line`,
      output: ["table", "json", "yaml", "name", "wide"],
      ...takesId,
      options: {},
      run: async (context, { arguments: { id } }) => {
        const view = await words.read(await context.service(), id);
        const showTable = await words.loadTable();
        context.print(view, () => showTable([view], context));
      },
    }),
    defineCommand({
      name: "describe",
      ...words.describe,
      output: ["table", "json", "yaml"],
      ...takesId,
      options: {},
      run: async (context, { arguments: { id } }) => {
        const view = await words.read(await context.service(), id);
        const describe = await words.loadPage();
        context.print(view, () => describe(view, context));
      },
    }),
    defineCommand({
      name: "cancel",
      summary: `cancel a ${noun} that is running`,
      output: ["table", "json", "yaml", "name"],
      ...takesId,
      options: { dryRun: cancelDryRunOption },
      run: async (context, { arguments: { id }, options: { dryRun } }) => {
        const service = await context.service();
        if (dryRun) {
          const { showCancellation } = await import("../pages/cancellation.ts");
          return showCancellation(await words.read(service, id), context);
        }
        const view = await words.cancel(service, id);
        const showTable = await words.loadTable();
        context.print(view, () => showTable([view], context));
      },
    }),
    defineCommand({
      name: "logs",
      summary: `show what was said while a ${noun} ran`,
      output: ["table", "json", "yaml"],
      ...takesId,
      options: {},
      run: async (context, { arguments: { id } }) => {
        const lines = await words.readLogs(await context.service(), id);
        const { showLogs } = await import("../pages/logs.ts");
        context.print({ lines }, () => showLogs(lines, context.paint));
      },
    }),
  ];
}
