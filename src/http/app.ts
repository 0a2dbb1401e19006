import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import swagger from "@fastify/swagger";
import { fastify } from "fastify";
import { answers } from "../contract/rest/answers.ts";
import { compileValidator } from "./validate-request.ts";
import type { HttpParts } from "./parts.ts";

export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Correlation ids that callers send: printable, and short enough for every line of a log. */
const correlationIdPattern = /^[\x21-\x7e]{1,100}$/;

/** Stands for the framework's own compilers of shapes, which cost a tenth of a start to load. */
const useOwn = (): never => {
  throw new Error("Shapes are checked and written by what `createApp` sets.");
};

/** An empty server: how requests are read and answers written. */
export function createApp(parts: HttpParts, tls?: TlsFiles) {
  const app = fastify({
    ...(tls === undefined ? { https: null } : { https: { ...tls, minVersion: "TLSv1.2" as const } }),
    logger: false,
    bodyLimit: 1 << 20,
    schemaController: { compilersFactory: { buildValidator: useOwn, buildSerializer: useOwn } },
    // Of a whole request with its body: a slow sender must not hold a connection for ever.
    requestTimeout: 30_000,
    // What is under way is answered; streams end by themselves when the server stops.
    forceCloseConnections: "idle",
    // An id may be as long as it likes, and is then unknown.
    routerOptions: { maxParamLength: 5_000 },
    genReqId: ({ headers }) => {
      const sent = headers["x-correlation-id"];
      return typeof sent === "string" && correlationIdPattern.test(sent) ? sent : `req-${parts.newId()}`;
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.decorateRequest("caller");
  app.setValidatorCompiler(compileValidator);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  for (const schema of answers) app.addSchema(schema);
  return app;
}

export type App = ReturnType<typeof createApp>;

/** Must be there before the routes it describes. */
export async function describeApp(app: App, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "LC2 Backup and Restore Service",
        version,
        description:
          "Every answer that is not what was asked for is a problem document (RFC 9457) with a stable `code`.",
      },
      components: { securitySchemes: { apiKey: { type: "http", scheme: "bearer" } } },
      security: [{ apiKey: [] }],
    },
    refResolver: {
      buildLocalReference: (json, _baseUri, _fragment, index) =>
        typeof json["$id"] === "string" ? json["$id"] : `shape-${index}`,
    },
  });
}
