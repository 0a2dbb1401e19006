import type { RestorePoint } from "../../contract/restore-points.ts";
import type { CommandContext } from "../context.ts";
import { age } from "../humanise.ts";
import { renderTable } from "../table.ts";
import type { Column } from "../table.ts";

/** Restore points as a table, or (`-o name`) ids of those that can be used. */
export function showRestorePoints(points: readonly RestorePoint[], context: CommandContext): string {
  if (context.format === "name")
    return points.flatMap(({ backupId, usable }) => (usable ? [`${backupId}\n`] : [])).join("");
  if (points.length === 0) return "No restore points found.\n";
  const nowMs = context.host.nowMs();
  const columns: Column<RestorePoint>[] = [
    { title: "BACKUP", value: ({ backupId }) => backupId },
    { title: "ENVIRONMENT", value: ({ environment }) => environment ?? "" },
    { title: "STATE OF", value: ({ at }) => at },
    { title: "AGE", value: ({ at }) => age(Date.parse(at), nowMs), align: "right" },
    { title: "HAS", value: describeParts },
    { title: "VERIFIED", value: ({ verifiedAt }) => (verifiedAt === undefined ? "no" : "yes") },
    { title: "USABLE", value: ({ reason }) => (reason === undefined ? "yes" : `no: ${reason}`) },
  ];
  return renderTable(columns, points, context.paint);
}

const describeParts = ({ database, files }: RestorePoint): string =>
  [...(database ? ["database"] : []), ...(files ? ["files"] : [])].join(", ");
