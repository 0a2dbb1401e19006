import type { OfRepository } from "../../contract/repositories.ts";
import type {
  CheckRepositoryResult,
  ProbeRepositoryResult,
  ScanRepositoryResult,
  SweepRepositoryResult,
} from "../../contract/worker-task.ts";
import type { CommandContext } from "../context.ts";
import { age, counted, duration, size } from "../humanise.ts";
import { renderItem, renderTable } from "../table.ts";
import { printable } from "../terminal.ts";
import { showDamages } from "./damages.ts";

const longListLines = 50;

/** At most a screenful or two of a list, and how many more there are. */
function shortened(lines: readonly string[]): string {
  const rest = lines.length - longListLines;
  return [
    ...lines.slice(0, longListLines),
    ...(rest > 0 ? [`  and ${rest} more (-o json shows all)\n`] : []),
  ].join("");
}

export function showCheck(result: OfRepository<CheckRepositoryResult>, context: CommandContext): string {
  const { repository } = result;
  const { paint } = context;
  const looked =
    `${counted(result.backups, "backup")}, ` +
    (result.bytesRead > 0
      ? `${counted(result.files, "stored file")}, ${size(result.bytesRead)} read`
      : "looked at without reading the data (--read-data does)");
  const parts = [
    result.damages.length === 0
      ? `${paint.green("whole")}  ${repository}: ${looked}\n`
      : `${paint.red(counted(result.damages.length, "damage"))} in ${repository}: ${looked}\n` +
        showDamages(result.damages, paint),
  ];
  if (result.copyTo !== undefined) parts.push(`backups are copied to ${printable(result.copyTo)}\n`);
  if (result.leftovers.length > 0) {
    const bytes = result.leftovers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    parts.push(
      `\n${counted(result.leftovers.length, "leftover")} of unfinished runs, ${size(bytes)}; no damage. ` +
        "`lc2 repository sweep` removes them.\n",
      shortened(
        result.leftovers.map(
          ({ name, sizeBytes, ageSeconds }) =>
            `  ${printable(name)}, ${size(sizeBytes)}, ${duration(ageSeconds)} old\n`,
        ),
      ),
    );
  }
  return parts.join("");
}

export function showScan(result: OfRepository<ScanRepositoryResult>, context: CommandContext): string {
  const { repository } = result;
  if (context.format === "name") return result.backups.map(({ backupId }) => `${backupId}\n`).join("");
  const { paint } = context;
  const nowMs = context.host.nowMs();
  const parts = [
    `${repository} (${result.repositoryId}): ${counted(result.backups.length, "backup")} found\n`,
  ];
  if (result.backups.length > 0) {
    parts.push(
      renderTable(
        [
          { title: "BACKUP", value: ({ backupId }) => backupId },
          { title: "PROJECT", value: ({ projectId }) => projectId },
          { title: "SIZE", value: ({ storedBytes }) => size(storedBytes), align: "right" },
          { title: "AGE", value: ({ createdAt }) => age(Date.parse(createdAt), nowMs), align: "right" },
        ],
        result.backups,
        paint,
      ),
    );
  }
  if (result.carried > 0) {
    parts.push(
      `${counted(result.carried, "folder")} of earlier backups with stored files that these refer to; no backup by itself\n`,
    );
  }
  if (result.unsealed > 0) parts.push(`${counted(result.unsealed, "unsealed attempt")}, left alone\n`);
  for (const { backupId, missing } of result.incomplete) {
    const names = shortened(missing.map((name) => `  ${printable(name)}\n`));
    parts.push(`${paint.red("incomplete")}  ${backupId} misses:\n${names}`);
  }
  if (result.definitions.length > 0) {
    const names = result.definitions.map(({ kind, projectId, name }) =>
      kind === "project" ? `project ${name}` : `${kind} ${projectId}/${name}`,
    );
    parts.push(`brought back: ${printable(names.join(", "))}\n`);
  }
  if (result.copyTo !== undefined) parts.push(`backups are copied to ${printable(result.copyTo)}\n`);
  parts.push(...result.notes.map((note) => `${paint.yellow("note:")} ${printable(note)}\n`));
  return parts.join("");
}

/** A line for each capability, its sentence broken at the terminal's width. */
export function showProbe(result: OfRepository<ProbeRepositoryResult>, context: CommandContext): string {
  const { repository } = result;
  const { paint } = context;
  const answers = {
    yes: paint.green("yes    "),
    no: paint.yellow("no     "),
    unknown: paint.dim("unknown"),
  };
  const width = Math.max(...result.capabilities.map(({ name }) => name.length));
  return [
    `${repository}: ${result.repositoryFound ? "a repository" : "no repository yet; the first backup makes it"}\n`,
    ...result.capabilities.map(({ name, answer, sentence }) =>
      renderItem(`  ${answers[answer]}  ${printable(name).padEnd(width)}  `, printable(sentence), context),
    ),
  ].join("");
}

export function showSweep(result: SweepRepositoryResult, dryRun: boolean, context: CommandContext): string {
  const { paint } = context;
  const what = `${counted(result.deletedFiles, "stored file")}, ${size(result.deletedBytes)}`;
  const young = result.keptYoung === 0 ? "" : `; ${counted(result.keptYoung, "thing")} too young left alone`;
  return [
    paint.bold(
      dryRun ? `Nothing was removed. A sweep would remove ${what}${young}` : `Removed ${what}${young}`,
    ) + "\n",
    shortened(result.removed.map((name) => `  ${printable(name)}\n`)),
  ].join("");
}
