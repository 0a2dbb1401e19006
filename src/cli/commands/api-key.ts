import { roles, type NewApiKey } from "../../contract/access.ts";
import type { CommandContext } from "../context.ts";
import { defineCommand, defineGroup, list, operand, required, value, valueOr } from "../command.ts";
import { durationSeconds, oneOf, projectId, text } from "../option-values.ts";

const keyIdOperand = operand("<keyId>", "as `lc2 api-key list` shows it");

async function showOnce(context: CommandContext, made: NewApiKey): Promise<void> {
  const { showNewApiKey } = await import("../pages/api-keys.ts");
  showNewApiKey(made, context);
}

const createCommand = defineCommand({
  name: "create",
  summary: "make an API key, and print its secret once",
  description:
    "viewer looks, operator also backs up and restores, admin also deletes. Send the secret as Authorization: Bearer.",
  examples: [
    { command: "lc2 api-key create --name dashboard", says: "may look at everything" },
    {
      command: "lc2 api-key create --name nightly --role operator --project retail --expires 90d",
      says: "for one project, for three months",
    },
  ],
  output: ["table", "json", "yaml"],
  arguments: {},
  options: {
    name: required("--name <name>", "what it is for", text),
    role: valueOr("--role <role>", roles.join(", "), oneOf(...roles), "viewer", { complete: roles }),
    project: list("--project <id>", "only for this project (default: all)", projectId),
    expires: value(
      "--expires <time>",
      "valid for so long, such as 90d (default: until revoked)",
      durationSeconds,
    ),
  },
  run: async (context, { options: { name, role, project, expires } }) => {
    const wish = {
      name,
      role,
      ...(project.length === 0 ? {} : { projects: project }),
      ...(expires === undefined ? {} : { expiresInSeconds: Math.round(expires) }),
    };
    await showOnce(context, await (await context.service()).createApiKey(wish));
  },
});

const listCommand = defineCommand({
  name: "list",
  summary: "list API keys, valid or not, oldest first",
  output: ["table", "json", "yaml", "name"],
  arguments: {},
  options: {},
  run: async (context) => {
    const keys = await (await context.service()).listApiKeys();
    const { showApiKeys } = await import("../pages/api-keys.ts");
    context.print({ keys }, () => showApiKeys(keys, context));
  },
});

const rotateCommand = defineCommand({
  name: "rotate",
  summary: "make a new API key like an old one, which stays valid for a while",
  output: ["table", "json", "yaml"],
  arguments: { keyId: keyIdOperand },
  options: {
    overlap: valueOr("--overlap <time>", "how long the old one stays valid", durationSeconds, "24h"),
  },
  run: async (context, { arguments: { keyId }, options: { overlap } }) => {
    const service = await context.service();
    await showOnce(context, await service.rotateApiKey(keyId, { overlapSeconds: Math.round(overlap) }));
  },
});

const revokeCommand = defineCommand({
  name: "revoke",
  summary: "end an API key at once",
  output: ["table", "json", "yaml", "name"],
  arguments: { keyId: keyIdOperand },
  options: {},
  run: async (context, { arguments: { keyId } }) => {
    const key = await (await context.service()).revokeApiKey(keyId);
    const { showApiKeys } = await import("../pages/api-keys.ts");
    context.print(key, () => showApiKeys([key], context));
  },
});

export const apiKeyGroup = defineGroup("api-key", "the keys that programs call a server with", [
  createCommand,
  listCommand,
  rotateCommand,
  revokeCommand,
]);
