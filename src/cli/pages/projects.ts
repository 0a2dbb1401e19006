import type { ProjectView } from "../../contract/projects.ts";
import type { CommandContext } from "../context.ts";
import { age } from "../humanise.ts";
import { renderFields, renderTable } from "../table.ts";
import type { Column } from "../table.ts";

export function showProjects(projects: readonly ProjectView[], context: CommandContext): string {
  if (context.format === "name") return projects.map(({ projectId }) => `${projectId}\n`).join("");
  if (projects.length === 0) return "No projects: the first backup makes one, or `lc2 project create`.\n";
  const nowMs = context.host.nowMs();
  const columns: Column<ProjectView>[] = [
    { title: "PROJECT", value: ({ projectId }) => projectId },
    { title: "TIME ZONE", value: ({ timeZone }) => timeZone },
    { title: "RETENTION", value: ({ retention }) => describeRetention(retention) ?? "all" },
    { title: "AGE", value: ({ createdAt }) => age(Date.parse(createdAt), nowMs), align: "right" },
  ];
  if (context.format === "wide") {
    columns.push(
      { title: "REPOSITORY", value: ({ repository }) => repository ?? "" },
      { title: "DESCRIPTION", value: ({ description }) => description ?? "" },
    );
  }
  return renderTable(columns, projects, context.paint);
}

export function showProject(project: ProjectView, context: CommandContext): string {
  if (context.format === "name") return `${project.projectId}\n`;
  const fields = renderFields(
    [
      ["Description", project.description],
      ["Repository", project.repository ?? "the installation's own"],
      ["Time zone", project.timeZone],
      ["Retention", describeRetention(project.retention) ?? "none: all backups are kept"],
      ["At once", project.maxConcurrentOperations?.toString()],
      ["Revision", String(project.revision)],
      ["Changed", project.changedAt ?? "never: made with defaults"],
    ],
    context,
  );
  return `${context.paint.bold(project.projectId)}\n${fields}`;
}

/** `last 3, daily 7`; undefined where there is none. */
function describeRetention(retention: ProjectView["retention"]): string | undefined {
  if (retention === undefined) return undefined;
  const said = Object.entries(retention).map(([rule, count]) =>
    rule === "withinDays" ? `within ${count} days` : `${rule} ${count}`,
  );
  return `${said.join(", ")} (not applied by this version)`;
}
