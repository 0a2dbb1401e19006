import type { RestoreView } from "../../contract/service.ts";
import type { CommandContext } from "../context.ts";
import { age } from "../humanise.ts";
import { renderTable } from "../table.ts";
import type { Column } from "../table.ts";
import { whenColumns } from "./run-columns.ts";
import { paintStatus } from "./status.ts";

/** The list of restores, as a table or (`-o name`) ids. */
export function showRestores(restores: readonly RestoreView[], context: CommandContext): string {
  if (context.format === "name") return restores.map(({ restoreId }) => `${restoreId}\n`).join("");
  if (restores.length === 0) return "No restores found.\n";
  const nowMs = context.host.nowMs();
  const columns: Column<RestoreView>[] = [
    { title: "RESTORE", value: ({ restoreId }) => restoreId },
    { title: "BACKUP", value: ({ backupId }) => backupId },
    { title: "TYPE", value: ({ restoreType }) => restoreType },
    {
      title: "STATE",
      value: ({ status, undone }) => (undone === undefined ? status : `${status}, undone`),
      paint: (text, { status }) => paintStatus(text, status, context.paint),
    },
    { title: "PROGRESS", value: ({ progress }) => `${Math.floor(progress)} %`, align: "right" },
    { title: "AGE", value: ({ createdAt }) => age(Date.parse(createdAt), nowMs), align: "right" },
  ];
  if (context.format === "wide") {
    columns.push(
      { title: "PROJECT", value: ({ projectId }) => projectId },
      ...whenColumns,
      { title: "DATABASE", value: ({ plan }) => plan?.database?.url ?? "" },
      { title: "FILES", value: ({ plan }) => plan?.files?.url ?? "" },
    );
  }
  return renderTable(columns, restores, context.paint);
}
