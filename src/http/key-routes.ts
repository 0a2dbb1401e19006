import { Type } from "typebox";
import { keyRotation, rotateKeyRequest } from "../contract/rest/keys.ts";
import type { App } from "./app.ts";
import { ofProject, permit, projectNotFound, refusePlaces } from "./authenticate.ts";
import { problems, waitingAnswer } from "./describe-routes.ts";
import { sendWaiting } from "./event-stream.ts";
import type { HttpParts } from "./parts.ts";
import { projectPath } from "./paths.ts";

/**
 * The key of a project. It can be changed for a new one from afar; key material itself is neither sent nor taken: who
 * has it reads every backup, and an API key must not be worth that.
 */
export function addKeyRoutes(app: App, parts: HttpParts): void {
  app.post(
    "/api/v1/projects/:projectId/keys/rotate",
    {
      onRequest: permit("administer"),
      schema: {
        tags: ["keys"],
        operationId: "rotateKey",
        summary: "Make a new key for a project, and wrap the keys of its backups anew",
        description: "No data moves. The keys themselves stay on the server's machine.",
        params: projectPath,
        body: Type.Optional(rotateKeyRequest),
        response: {
          200: waitingAnswer("What was, or would be, wrapped anew.", keyRotation),
          ...problems(400, 403, 404, 409, 413, 415, 422, 502),
        },
      },
    },
    async (request, reply) => {
      const { projectId } = ofProject(request.params);
      if (projectId === undefined) throw projectNotFound(request.params.projectId);
      const { dryRun = false, ...place } = request.body ?? {};
      refusePlaces(parts, request, [place.repository]);
      return await sendWaiting(
        parts,
        request,
        reply,
        async (waiting) => await parts.service.rotateKey(projectId, { ...place, dryRun }, waiting),
        { outlivesClient: !dryRun },
      );
    },
  );
}
