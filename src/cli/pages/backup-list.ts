import type { BackupSummary } from "../../contract/service.ts";
import type { CommandContext } from "../context.ts";
import { age, size } from "../humanise.ts";
import { renderTable } from "../table.ts";
import type { Column } from "../table.ts";
import { whenColumns } from "./run-columns.ts";
import { paintStatus } from "./status.ts";

/** The list of backups, as a table or (`-o name`) ids. */
export function showBackups(backups: readonly BackupSummary[], context: CommandContext): string {
  if (context.format === "name") return backups.map(({ backupId }) => `${backupId}\n`).join("");
  if (backups.length === 0) return "No backups found.\n";
  const nowMs = context.host.nowMs();
  const since = (iso: string | undefined): string => (iso === undefined ? "" : age(Date.parse(iso), nowMs));
  const hasEnvironments = backups.some(({ environment }) => environment !== undefined);
  const columns: Column<BackupSummary>[] = [
    { title: "BACKUP", value: ({ backupId }) => backupId },
    { title: "PROJECT", value: ({ projectId }) => projectId },
    { title: "APP", value: ({ application }) => application ?? "" },
    ...(hasEnvironments
      ? [{ title: "ENVIRONMENT", value: ({ environment }: BackupSummary) => environment ?? "" }]
      : []),
    {
      title: "STATE",
      value: ({ status }) => status,
      paint: (text, { status }) => paintStatus(text, status, context.paint),
    },
    {
      title: "SIZE",
      value: (backup) => (backup.size === undefined ? "" : size(backup.size)),
      align: "right",
    },
    {
      title: "VERIFIED",
      value: ({ verifiedAt }) => (verifiedAt === undefined ? "" : `${since(verifiedAt)} ago`),
    },
    { title: "AGE", value: ({ createdAt }) => since(createdAt), align: "right" },
  ];
  if (context.format === "wide") {
    columns.push(
      ...whenColumns,
      { title: "REPOSITORY", value: ({ repository }) => repository },
      { title: "SCHEDULE", value: ({ schedule }) => schedule?.name ?? "" },
    );
  }
  return renderTable(columns, backups, context.paint);
}
