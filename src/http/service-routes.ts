import { health } from "../contract/rest/health.ts";
import type { App } from "./app.ts";
import { permitForAll } from "./authenticate.ts";
import { answer, problems } from "./describe-routes.ts";
import { renderDocsPage, type OpenApiDocument } from "./docs-page.ts";
import type { Metrics } from "./metrics.ts";
import type { HttpParts } from "./parts.ts";
import { retryAfterSeconds } from "./problems.ts";

const tags = ["service"];
const open = { tags, security: [] };
const text = (description: string, type: string) => ({
  description,
  content: { [type]: { schema: { type: "string" } } },
});

/** What the server says about itself. */
export function addServiceRoutes(app: App, parts: HttpParts, metrics: Metrics): void {
  app.get(
    "/health/live",
    {
      schema: {
        ...open,
        operationId: "getLiveness",
        summary: "Whether the process answers",
        response: { 200: answer("It does.", health) },
      },
    },
    async () => ({ status: "ready", dependencies: [] }),
  );

  app.get(
    "/health/ready",
    {
      schema: {
        ...open,
        operationId: "getReadiness",
        summary: "Whether calls can be answered",
        description:
          "Names each dependency. `degraded`: some work may fail; calls are answered all the same.",
        response: { 200: answer("They can.", health), 503: answer("They cannot, for now.", health) },
      },
    },
    async (_request, reply) => {
      const dependencies = await parts.checkDependencies();
      const isDown = parts.stopping.aborted || dependencies.some(({ status }) => status === "down");
      const isWhole = dependencies.every(({ status }) => status === "ok");
      if (isDown) reply.code(503).header("retry-after", retryAfterSeconds);
      return { status: isDown ? "unready" : isWhole ? "ready" : "degraded", dependencies };
    },
  );

  app.get(
    "/metrics",
    {
      onRequest: permitForAll("look"),
      schema: {
        tags,
        operationId: "getMetrics",
        summary: "Numbers for Prometheus",
        response: { 200: text("In Prometheus' text form.", "text/plain"), ...problems(403) },
      },
    },
    async (_request, reply) => await reply.type(metrics.contentType).send(await metrics.render()),
  );

  app.get(
    "/openapi.json",
    {
      schema: {
        tags,
        operationId: "getOpenApi",
        summary: "This interface, as an OpenAPI document",
        response: {
          200: { description: "It.", content: { "application/json": { schema: { type: "object" } } } },
          ...problems(),
        },
      },
    },
    async () => app.swagger(),
  );

  app.get(
    "/docs",
    {
      schema: {
        tags,
        operationId: "getDocs",
        summary: "This interface, as a page for people",
        response: { 200: text("The page.", "text/html"), ...problems() },
      },
    },
    async (_request, reply) =>
      await reply
        .type("text/html; charset=utf-8")
        .header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'")
        // What @fastify/swagger makes of our schemas has this form.
        .send(renderDocsPage(app.swagger() as object as OpenApiDocument)),
  );
}
