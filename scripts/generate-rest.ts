import type { OpenApiDocument } from "../src/http/docs-page.ts";
import { openHttpServer } from "../src/http/open-http-server.ts";
import { createMemoryService, createMemoryWorld } from "../test/support/memory-service.ts";

/** The page of every address of the REST interface, from the document that the server itself gives. */
export async function renderRestPage(): Promise<string> {
  const { paths } = await readOpenApi();
  const lines = [
    "# REST",
    "",
    "<!-- Generated from src/http and src/contract/rest by `npm run generate`. Do not edit. -->",
    "",
    "Every field of every request and answer is in `GET /openapi.json` (OpenAPI 3.1) and, for people, at `GET /docs` of a",
    "running server. [The service](../guide/service.md) says how to start one and how to call it.",
    "",
    "| Call | What it does | Answers |",
    "| --- | --- | --- |",
  ];
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, { summary = "", responses }] of Object.entries(methods)) {
      const statuses = Object.keys(responses).join(", ");
      lines.push(`| \`${method.toUpperCase()} ${path}\` | ${summary} | ${statuses} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}

async function readOpenApi(): Promise<OpenApiDocument> {
  const server = await openHttpServer({
    service: createMemoryService(createMemoryWorld()),
    gatekeeper: {
      authenticate: async () => await Promise.resolve(undefined),
      claimRequest: async () => await Promise.resolve(""),
    },
    version: "",
    nowMs: () => 0,
    newId: () => "",
    log: () => undefined,
    checkDependencies: async () => await Promise.resolve([]),
    trustsOperators: false,
    countOperations: async () => await Promise.resolve([]),
    countStalled: () => 0,
    countSlots: async () => await Promise.resolve([]),
    stopping: new AbortController().signal,
  });
  await server.close();
  return server.describe() as OpenApiDocument;
}
