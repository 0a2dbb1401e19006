import { copy, copyPage } from "../contract/rest/contents.ts";
import type { CopyView } from "../contract/copies.ts";
import { copyNotFound } from "../core/operation/not-found.ts";
import type { Static } from "typebox";
import type { App } from "./app.ts";
import { ofProject, permit } from "./authenticate.ts";
import { answer, problems } from "./describe-routes.ts";
import { addOperationList, addOperationReads } from "./operation-reads.ts";
import type { HttpParts } from "./parts.ts";
import { copiesBase as base, copyPath } from "./paths.ts";

const one = `${base}/:copyId`;

/** Lists, shows, follows and cancels the copying of backups; it is begun at the backup. */
export function addCopyRoutes(app: App, parts: HttpParts): void {
  const { service } = parts;
  addOperationList(app, parts, {
    plural: "Copies",
    base,
    schema: copyPage,
    list: async (query) => {
      const { copies, total } = await service.listCopies(query);
      return { views: copies, total };
    },
  });
  addOperationReads(app, parts, {
    noun: "Copy",
    plural: "Copies",
    one,
    params: copyPath,
    schema: copy,
    find: ({ params }) => {
      // The route's schema has checked it.
      const path = params as CopyPath;
      const read = async () => await readCopy(parts, path);
      const readLog = async () => (await read(), await service.copyLogs(path.copyId));
      return { read, readLog };
    },
  });
  app.post(
    `${one}/cancel`,
    {
      onRequest: permit("operate"),
      schema: {
        tags: ["copies"],
        operationId: "cancelCopy",
        summary: "Cancel a copy that is running",
        description: "What arrived whole stays there for the next one.",
        params: copyPath,
        response: { 200: answer("As it is now.", copy), ...problems(400, 403, 404, 409, 415) },
      },
    },
    async ({ params }) => {
      await readCopy(parts, params);
      return await service.cancelCopy(params.copyId);
    },
  );
}

type CopyPath = Static<typeof copyPath>;

/** The copy, if it is this project's. */
async function readCopy({ service }: HttpParts, params: CopyPath): Promise<CopyView> {
  const { projectId } = ofProject(params);
  const view = await service.getCopy(params.copyId);
  if (projectId === undefined || view.projectId === projectId) return view;
  throw copyNotFound(params.copyId);
}
