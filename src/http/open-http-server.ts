import { createHash } from "node:crypto";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { Failure } from "../core/failure.ts";
import { createApp, describeApp, type App, type TlsFiles } from "./app.ts";
import { makeAuthentication } from "./authenticate.ts";
import { addBackupReads } from "./backup-reads.ts";
import { addBackupRoutes } from "./backup-routes.ts";
import { addBackupVerbs } from "./backup-verbs.ts";
import { addContentRoutes } from "./content-routes.ts";
import { addApiKeyRoutes } from "./api-key-routes.ts";
import { addKeyRoutes } from "./key-routes.ts";
import { addRepositoryRoutes } from "./repository-routes.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { listenForMetrics, type MetricsListener } from "./metrics-listener.ts";
import type { HttpParts } from "./parts.ts";
import { misshapen, ProtocolRefusal, sendProblem } from "./problems.ts";
import { addCopyRoutes } from "./copy-routes.ts";
import { addRestoreReads } from "./restore-reads.ts";
import { addEnvironmentRoutes } from "./environment-routes.ts";
import { addNotificationRoutes } from "./notification-routes.ts";
import { addProjectRoutes } from "./project-routes.ts";
import { addRestorePointRoutes } from "./restore-point-routes.ts";
import { addRestoreRoutes } from "./restore-routes.ts";
import { addScheduleRoutes } from "./schedule-routes.ts";
import { addServiceRoutes } from "./service-routes.ts";

export interface HttpServer {
  /** The OpenAPI document. */
  describe(): object;
  /** `http://127.0.0.1:8080`. Rejects with `listen-failed`. */
  listen(address: { readonly host: string; readonly port: number }): Promise<string>;
  /** Metrics at an address of their own; `http://127.0.0.1:9464/metrics`. Rejects with `listen-failed`. */
  listenForMetrics(address: { readonly host: string; readonly port: number }): Promise<string>;
  /** From the next connection on. Throws when certificate and key do not fit. */
  replaceTls(files: TlsFiles): void;
  /** Takes nothing new; resolves when the calls under way are answered. */
  close(): Promise<void>;
}

/** The REST interface on a service; listens only when told to. */
export async function openHttpServer(parts: HttpParts, tls?: TlsFiles): Promise<HttpServer> {
  const app = createApp(parts, tls);
  const metrics = createMetrics(parts);
  await describeApp(app, parts.version);
  addHooks(app, parts, metrics);
  const known = new Map<string, Set<string>>();
  app.addHook("onRoute", ({ url, method }) => {
    const methods = known.get(url) ?? new Set();
    for (const each of [method].flat()) methods.add(each);
    known.set(url, methods);
  });
  addServiceRoutes(app, parts, metrics);
  addBackupReads(app, parts);
  addBackupRoutes(app, parts);
  addBackupVerbs(app, parts);
  addContentRoutes(app, parts);
  addRestoreReads(app, parts);
  addCopyRoutes(app, parts);
  addRestoreRoutes(app, parts);
  addRestorePointRoutes(app, parts);
  addRepositoryRoutes(app, parts);
  addKeyRoutes(app, parts);
  addApiKeyRoutes(app, parts);
  addProjectRoutes(app, parts);
  addEnvironmentRoutes(app, parts);
  addScheduleRoutes(app, parts);
  addNotificationRoutes(app, parts);
  for (const [url, methods] of known.entries().toArray()) refuseOtherMethods(app, url, [...methods]);
  await app.ready();
  let listener: MetricsListener | undefined;
  return {
    // Made when it is asked for: nobody waits for it when the server starts.
    describe: () => app.swagger(),
    listen: async (address) => {
      try {
        return await app.listen(address);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new Failure("listen-failed", `Cannot listen at ${address.host}:${address.port}: ${reason}.`, {
          cause,
        });
      }
    },
    replaceTls: (files) => {
      if ("setSecureContext" in app.server && typeof app.server.setSecureContext === "function") {
        app.server.setSecureContext({ ...files, minVersion: "TLSv1.2" });
      }
    },
    listenForMetrics: async (address) => {
      listener = await listenForMetrics(metrics, address);
      return listener.url;
    },
    close: async () => {
      await app.close();
      await listener?.close();
    },
  };
}

/** 405 for every method that HTTP knows and this address does not; said before anything of a body is read. */
function refuseOtherMethods(app: App, url: string, methods: readonly string[]): void {
  const allow = methods.join(", ");
  const refuse = async (request: FastifyRequest, reply: FastifyReply): Promise<never> => {
    reply.header("allow", allow);
    throw new ProtocolRefusal(
      405,
      "route-not-found",
      `${request.method} is not for this address; there is ${allow}.`,
    );
  };
  app.route({
    url,
    method: app.supportedMethods.filter((method) => !methods.includes(method)),
    schema: { hide: true },
    onRequest: refuse,
    handler: refuse,
  });
}

function addHooks(app: App, parts: HttpParts, metrics: Metrics): void {
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-correlation-id", request.id);
    reply.header("x-content-type-options", "nosniff");
    reply.header("cache-control", "no-store");
    if (parts.stopping.aborted && request.method !== "GET") {
      throw new Failure(
        "server-stopping",
        "The server is shutting down and takes nothing new. Send it again.",
      );
    }
  });
  app.addHook("onRequest", makeAuthentication(parts));
  app.addHook("onSend", addETag);
  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "unknown";
    const labels = { method: request.method, route, status: String(reply.statusCode) };
    metrics.requests.observe(labels, reply.elapsedTime / 1000);
    logCall(parts, request, reply);
  });
  app.setErrorHandler(async (error: FastifyError, request, reply) => {
    const failure = toFailure(error);
    if (failure.code === "internal") {
      const message = `A defect: ${error.stack ?? error.message}`;
      parts.log({ level: "ERROR", logger: "lc2.http", message, fields: { correlation_id: request.id } });
    }
    await sendProblem(failure, request, reply);
  });
  app.setNotFoundHandler(async (request, reply) => {
    const message = `There is nothing at ${request.url.split("?", 1)[0]?.slice(0, 200)}. GET /docs lists what there is.`;
    await sendProblem(new Failure("route-not-found", message), request, reply);
  });
}

/** What the framework refuses by itself becomes a problem like any other. */
function toFailure(error: FastifyError): Failure {
  if (error instanceof Failure) return error;
  const { statusCode = 500 } = error;
  if (statusCode < 400 || statusCode >= 500) return Failure.from(error);
  if (statusCode === 400) {
    return misshapen([{ code: "request-invalid", field: "body", message: error.message }]);
  }
  return new ProtocolRefusal(statusCode, "request-invalid", error.message);
}

/** Who has the answer already is told so. */
async function addETag(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  const isAnswer = request.method === "GET" && reply.statusCode === 200 && typeof payload === "string";
  if (!isAnswer) return payload;
  const own = reply.getHeader("etag");
  const hash = (): string => createHash("sha256").update(payload).digest("base64url").slice(0, 22);
  const tag = typeof own === "string" ? own : `"${hash()}"`;
  reply.header("etag", tag);
  const known = (request.headers["if-none-match"] ?? "").split(/\s*,\s*/);
  if (!known.includes(tag) && !known.includes(`W/${tag}`) && !known.includes("*")) return payload;
  reply.code(304).removeHeader("content-length");
  return "";
}

function logCall(parts: HttpParts, request: FastifyRequest, reply: FastifyReply): void {
  const path = request.url.split("?", 1)[0] ?? "";
  // Probes come every few seconds and say nothing while all is well.
  if (path.startsWith("/health/") && reply.statusCode === 200) return;
  const { projectId, backupId, restoreId } = (request.params ?? {}) as Record<string, string | undefined>;
  parts.log({
    level: reply.statusCode >= 500 ? "ERROR" : "INFO",
    logger: "lc2.http",
    message: `${request.method} ${path} ${reply.statusCode}`,
    fields: {
      correlation_id: request.id,
      address: request.ip,
      key_id: request.caller?.keyId,
      project_id: projectId,
      backup_id: backupId,
      restore_id: restoreId,
      status: reply.statusCode,
      duration_ms: Math.round(reply.elapsedTime),
    },
  });
}
