import { defineCommand, defineGroup, value } from "../command.ts";
import { moment, text } from "../option-values.ts";
import { pagingOptions, projectOption } from "./shared-options.ts";

const listCommand = defineCommand({
  name: "list",
  summary: "list the states that can be gone back to, newest first, and why others cannot",
  examples: [
    {
      command: "lc2 restore-points list --project retail --environment prod --for staging",
      says: "what of prod could be restored into staging",
    },
  ],
  output: ["table", "json", "yaml", "name"],
  arguments: {},
  options: {
    project: projectOption,
    environment: value("--environment <name>", "only of this environment", text),
    for: value("--for <environment>", "for a restore into this environment", text),
    at: value(
      "--at <time>",
      "at or before it: 2026-11-24, 2026-11-24T14:00Z, or how long ago, 7d",
      moment("end"),
    ),
    ...pagingOptions,
  },
  run: async (context, { options: { project, environment, for: target, at, limit, offset } }) => {
    const found = await (
      await context.service()
    ).listRestorePoints({
      projectId: project,
      ...(environment === undefined ? {} : { environment }),
      ...(target === undefined ? {} : { target }),
      ...(at === undefined ? {} : { atMs: at }),
      limit,
      ...(offset === 0 ? {} : { offset }),
    });
    const { showRestorePoints } = await import("../pages/restore-points.ts");
    context.print(found, () => showRestorePoints(found.restorePoints, context));
  },
});

export const restorePointsGroup = defineGroup("restore-points", "states that can be gone back to", [
  listCommand,
]);
