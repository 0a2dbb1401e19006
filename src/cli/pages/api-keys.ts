import type { ApiKeyView, NewApiKey } from "../../contract/access.ts";
import type { CommandContext } from "../context.ts";
import { age } from "../humanise.ts";
import { renderFields, renderTable } from "../table.ts";
import type { Column } from "../table.ts";

const projectsOf = ({ projects }: ApiKeyView): string => projects?.join(", ") ?? "all";

/** API keys as a table, or (`-o name`) ids. Secrets are known to nobody. */
export function showApiKeys(keys: readonly ApiKeyView[], context: CommandContext): string {
  if (context.format === "name") return keys.map(({ keyId }) => `${keyId}\n`).join("");
  if (keys.length === 0)
    return "No API keys: the first one is made by `lc2 serve`, or by `lc2 api-key create`.\n";
  const nowMs = context.host.nowMs();
  const columns: Column<ApiKeyView>[] = [
    { title: "KEY", value: ({ keyId }) => keyId },
    { title: "NAME", value: ({ name }) => name },
    { title: "ROLE", value: ({ role }) => role },
    { title: "PROJECTS", value: projectsOf },
    { title: "STATE", value: ({ status }) => status },
    { title: "EXPIRES", value: ({ expiresAt }) => expiresAt ?? "" },
    { title: "AGE", value: ({ createdAt }) => age(Date.parse(createdAt), nowMs), align: "right" },
  ];
  return renderTable(columns, keys, context.paint);
}

/** The only time that a secret is shown. */
export function showNewApiKey(key: NewApiKey, context: CommandContext): void {
  context.print(key, () => {
    const fields = renderFields(
      [
        ["Key", key.keyId],
        ["Role", key.role],
        ["Projects", projectsOf(key)],
        ["Expires", key.expiresAt],
        ["Secret", key.secret],
      ],
      context,
    );
    return `${context.paint.bold(`API key "${key.name}"`)}\n${fields}`;
  });
  context.note("The secret is shown once and kept nowhere. Send it as `Authorization: Bearer SECRET`.");
}
