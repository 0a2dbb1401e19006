import type { EnvironmentView } from "../../contract/environments.ts";
import type { CommandContext } from "../context.ts";
import { age, counted } from "../humanise.ts";
import { renderFields, renderTable } from "../table.ts";
import type { Column } from "../table.ts";

export function showEnvironments(environments: readonly EnvironmentView[], context: CommandContext): string {
  if (context.format === "name") return environments.map(({ name }) => `${name}\n`).join("");
  if (environments.length === 0) return "No environments: `lc2 environment create` makes one.\n";
  const nowMs = context.host.nowMs();
  const columns: Column<EnvironmentView>[] = [
    { title: "ENVIRONMENT", value: ({ name }) => name },
    { title: "PROJECT", value: ({ projectId }) => projectId },
    { title: "ROLE", value: (view) => `${view.role}${view.protected ? ", protected" : ""}` },
    { title: "APPLICATION", value: ({ application }) => application ?? "" },
    { title: "HAS", value: describeParts },
    { title: "AGE", value: ({ createdAt }) => age(Date.parse(createdAt), nowMs), align: "right" },
  ];
  if (context.format === "wide") {
    columns.push(
      { title: "REGION", value: ({ region }) => region ?? "" },
      {
        title: "PLACES",
        value: (view) => [...view.databases, ...view.storages].map(({ url }) => url).join(" "),
      },
    );
  }
  return renderTable(columns, environments, context.paint);
}

export function showEnvironment(view: EnvironmentView, context: CommandContext): string {
  if (context.format === "name") return `${view.name}\n`;
  const fields = renderFields(
    [
      ["Description", view.description],
      ["Project", view.projectId],
      ["Role", view.role],
      ["Protected", view.protected ? "yes: a restore into it needs its plan's hash" : "no"],
      ["Region", view.region],
      ["Application", view.application],
      ...view.databases.map(
        ({ name, url, password }) =>
          [`Database ${name}`, password === undefined ? url : `${url}, password ${password}`] as const,
      ),
      ...view.storages.map(
        ({ name, url, credentials }) =>
          [
            `Files ${name}`,
            credentials === undefined ? url : `${url}, key ${credentials.accessKeyId}`,
          ] as const,
      ),
      ["Restores of", view.allowedSources?.join(", ") ?? "all backups of the project"],
      ["Hooks of backups", namesOf(view.preBackupHooks, view.postBackupHooks)],
      ["Hooks of restores", namesOf(view.preRestoreHooks, view.postRestoreHooks)],
      ["Revision", String(view.revision)],
      ["Changed", view.changedAt],
    ],
    context,
  );
  return `${context.paint.bold(view.name)}\n${fields}`;
}

type NamedHooks = EnvironmentView["preBackupHooks"];

/** Absent where there are none. */
function namesOf(before: NamedHooks = [], after: NamedHooks = []): string | undefined {
  const list = (hooks: NonNullable<NamedHooks>): string => hooks.map(({ name }) => name).join(", ");
  const parts = [
    ...(before.length === 0 ? [] : [`before: ${list(before)}`]),
    ...(after.length === 0 ? [] : [`after: ${list(after)}`]),
  ];
  return parts.length === 0 ? undefined : parts.join("; ");
}

function describeParts({ databases, storages }: EnvironmentView): string {
  return [
    ...(databases.length === 0 ? [] : [counted(databases.length, "database")]),
    ...(storages.length === 0 ? [] : [counted(storages.length, "set of files", "sets of files")]),
  ].join(", ");
}
