import { resolve } from "node:path";
import { Failure } from "../../core/failure.ts";
import {
  defineCommand,
  defineGroup,
  flag,
  InvalidValue,
  operand,
  optionalOperand,
  required,
  value,
} from "../command.ts";
import type { CommandContext } from "../context.ts";
import { text } from "../option-values.ts";
import { renderTable } from "../table.ts";

function contextName(written: string): string {
  if (/^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/.test(written)) return written;
  throw new InvalidValue("must be 1 to 63 lower-case letters, digits and . _ -");
}

function serverUrl(written: string): string {
  if (/^https?:\/\/[^/?#]+\/?$/.test(written) && URL.canParse(written)) return written;
  throw new InvalidValue("must be http://host:port or https://host:port");
}

const nameOperand = operand("<name>", "as `lc2 context list` shows it");

const setCommand = defineCommand({
  name: "set",
  summary: "keep a server under a name, and work through it from now on",
  description:
    "LC2_SERVER goes before it, also when it is set to nothing. The key itself is not kept, only where it is.",
  examples: [
    {
      command:
        "lc2 context set production --server https://backup.example.com:8443 --api-key-file ~/.lc2-key",
      says: "from now on",
    },
  ],
  output: ["table", "json", "yaml"],
  arguments: { name: operand("<name>", "such as production") },
  options: {
    server: required("--server <url>", "https://host:port", serverUrl),
    apiKeyFile: value("--api-key-file <file>", "file that holds the API key", text, { complete: "file" }),
  },
  run: async (context, { arguments: { name }, options: { server, apiKeyFile } }) => {
    const { contexts } = context.host;
    const saved = contexts.read();
    const key = apiKeyFile === undefined ? {} : { apiKeyFile: resolve(apiKeyFile) };
    const made = { server, ...key };
    const current = checkedName(name);
    await contexts.write({ current, contexts: { ...saved.contexts, [current]: made } });
    context.print({ name: current, ...made }, () => `${current}: ${server}, in use from now on\n`);
  },
});

/** Operands are read as they are; a name is checked where it is made. */
function checkedName(name: string): string {
  try {
    return contextName(name);
  } catch (error) {
    throw new Failure(
      "usage",
      `The name ${JSON.stringify(name)} ${error instanceof Error ? error.message : ""}.`,
    );
  }
}

const useCommand = defineCommand({
  name: "use",
  summary: "work through a server that was kept, or through none",
  output: ["table", "json", "yaml"],
  arguments: { name: optionalOperand("[name]", "as `lc2 context list` shows it", contextName) },
  options: { none: flag("--none", "no server: this machine does the work") },
  check: ({ arguments: { name }, options: { none } }) =>
    (name !== undefined) === none
      ? [{ subject: "[name]", code: "usage", message: "or --none must be given, and not both" }]
      : [],
  run: async (context, { arguments: { name } }) => {
    const { contexts } = context.host;
    const saved = contexts.read();
    if (name !== undefined) find(context, name);
    await contexts.write({ ...(name === undefined ? {} : { current: name }), contexts: saved.contexts });
    context.print({ current: name ?? null }, () =>
      name === undefined ? "No server is in use\n" : `${name} is in use\n`,
    );
  },
});

const listCommand = defineCommand({
  name: "list",
  summary: "list the servers that were kept",
  output: ["table", "json", "yaml", "name"],
  arguments: {},
  options: {},
  run: async (context) => {
    const { current, contexts } = context.host.contexts.read();
    const rows = Object.entries(contexts).map(([name, saved]) => ({
      name,
      ...saved,
      inUse: name === current,
    }));
    if (context.format === "name") {
      for (const { name } of rows) context.out.write(`${name}\n`);
      return await Promise.resolve();
    }
    context.print({ contexts: rows }, () =>
      rows.length === 0
        ? "No servers are kept: `lc2 context set NAME --server URL` keeps one.\n"
        : renderTable(
            [
              { title: "CONTEXT", value: ({ name }) => name },
              { title: "SERVER", value: ({ server }) => server },
              { title: "KEY", value: ({ apiKeyFile }) => apiKeyFile ?? "" },
              { title: "IN USE", value: ({ inUse }) => (inUse ? "yes" : "") },
            ],
            rows,
            context.paint,
          ),
    );
  },
});

const deleteCommand = defineCommand({
  name: "delete",
  summary: "forget a server; its key stays where it is",
  output: ["table", "json", "yaml"],
  arguments: { name: nameOperand },
  options: { dryRun: flag("--dry-run", "say what would be forgotten") },
  run: async (context, { arguments: { name }, options: { dryRun } }) => {
    find(context, name);
    const { current, contexts } = context.host.contexts.read();
    const { [name]: gone, ...rest } = contexts;
    if (!dryRun) {
      const still = current === undefined || current === name ? {} : { current };
      await context.host.contexts.write({ ...still, contexts: rest });
    }
    context.print({ dryRun, name, ...gone }, () => `${name} ${dryRun ? "would be" : "is"} forgotten\n`);
  },
});

function find({ host }: CommandContext, name: string): void {
  const { contexts } = host.contexts.read();
  if (Object.hasOwn(contexts, name)) return;
  const known = Object.keys(contexts).join(", ") || "none";
  throw new Failure(
    "context-not-found",
    `No server is kept as "${name}" in ${host.contexts.path}; known: ${known}.`,
  );
}

export const contextGroup = defineGroup("context", "servers that the command line works through, by name", [
  setCommand,
  useCommand,
  listCommand,
  deleteCommand,
]);
