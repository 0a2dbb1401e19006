import type { CopyView } from "../../contract/copies.ts";
import type { CommandContext } from "../context.ts";
import { age, size } from "../humanise.ts";
import { renderTable } from "../table.ts";
import type { Column } from "../table.ts";
import { whenColumns } from "./run-columns.ts";
import { paintStatus } from "./status.ts";

/** The list of copies, as a table or (`-o name`) ids. */
export function showCopies(copies: readonly CopyView[], context: CommandContext): string {
  if (context.format === "name") return copies.map(({ copyId }) => `${copyId}\n`).join("");
  if (copies.length === 0) return "No copies found.\n";
  const nowMs = context.host.nowMs();
  const columns: Column<CopyView>[] = [
    { title: "COPY", value: ({ copyId }) => copyId },
    { title: "BACKUP", value: ({ backupId }) => backupId },
    {
      title: "STATE",
      value: ({ status }) => status,
      paint: (text, { status }) => paintStatus(text, status, context.paint),
    },
    { title: "TO", value: ({ to }) => to },
    { title: "AGE", value: ({ createdAt }) => age(Date.parse(createdAt), nowMs), align: "right" },
  ];
  if (context.format === "wide") {
    columns.push(
      { title: "PROJECT", value: ({ projectId }) => projectId },
      { title: "FROM", value: ({ from }) => from },
      ...whenColumns,
      {
        title: "COPIED",
        value: ({ copied }) => (copied === undefined ? "" : size(copied.sizeBytes)),
        align: "right",
      },
    );
  }
  return renderTable(columns, copies, context.paint);
}
