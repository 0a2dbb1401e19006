import type { Static } from "typebox";
import { restore, restorePage } from "../contract/rest/restores.ts";
import type { RestoreView } from "../contract/service.ts";
import { restoreNotFound } from "../core/operation/not-found.ts";
import type { App } from "./app.ts";
import { ofProject } from "./authenticate.ts";
import { addOperationList, addOperationReads } from "./operation-reads.ts";
import type { HttpParts } from "./parts.ts";
import { restorePath, restoresBase as base } from "./paths.ts";

/** Lists, shows and follows restores. */
export function addRestoreReads(app: App, parts: HttpParts): void {
  const { service } = parts;
  addOperationList(app, parts, {
    plural: "Restores",
    base,
    schema: restorePage,
    list: async (query) => {
      const { restores, total } = await service.listRestores(query);
      return { views: restores, total };
    },
  });
  addOperationReads(app, parts, {
    noun: "Restore",
    plural: "Restores",
    one: `${base}/:restoreId`,
    params: restorePath,
    schema: restore,
    find: ({ params }) => {
      // The route's schema has checked it.
      const path = params as RestorePath;
      const read = async () => await readRestore(parts, path);
      const readLog = async () => (await read(), await service.restoreLogs(path.restoreId));
      return { read, readLog };
    },
  });
}

type RestorePath = Static<typeof restorePath>;

/** The restore, if it is this project's. */
export async function readRestore({ service }: HttpParts, params: RestorePath): Promise<RestoreView> {
  const { projectId } = ofProject(params);
  const view = await service.getRestore(params.restoreId);
  if (projectId === undefined || view.projectId === projectId) return view;
  throw restoreNotFound(params.restoreId);
}
