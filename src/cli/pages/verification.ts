import type { VerifyBackupResult } from "../../contract/worker-task.ts";
import type { CommandContext } from "../context.ts";
import { count, counted, size } from "../humanise.ts";
import { printable } from "../terminal.ts";
import { showDamages } from "./damages.ts";

/** What `backup verify` found. */
export function showVerification(
  backupId: string,
  result: VerifyBackupResult,
  context: CommandContext,
): string {
  const { paint } = context;
  const read = `${size(result.storedBytes)} in ${counted(result.files, "stored file or pack member", "stored files and pack members")} read, ${size(result.plainBytes)} decrypted and compared`;
  const lines =
    result.damages.length === 0
      ? [
          `${paint.green("whole")}  ${paint.bold(backupId)}: ${read}; ${counted(result.objects, "object")} checked\n`,
        ]
      : [
          `${paint.red(counted(result.damages.length, "damage"))} in ${paint.bold(backupId)}: ${read}\n`,
          showDamages(result.damages, paint),
          "Restore from another backup or a copy of the repository; `lc2 repository check` shows what else is damaged.\n",
        ];
  const { restored } = result;
  if (restored !== undefined) {
    const what = `${count(restored.rows)} rows in ${counted(restored.tables, "table")} restored into ${printable(restored.database)}`;
    lines.push(
      restored.differences.length === 0
        ? `${paint.green("equal")}  ${what}, compared, dropped again\n`
        : `${paint.red("differs")}  ${what}:\n${restored.differences.map((each) => `  ${printable(each)}\n`).join("")}`,
    );
  }
  return lines.join("");
}
