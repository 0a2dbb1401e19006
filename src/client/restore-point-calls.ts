import type { RestorePoint, RestorePoints } from "../contract/restore-points.ts";
import type { HttpConnection } from "./http-connection.ts";
import { readPages } from "./pages.ts";

export function createRestorePointCalls(http: HttpConnection): RestorePoints {
  return {
    listRestorePoints: async ({ projectId, environment, target, atMs, limit, offset = 0 }) => {
      const query = {
        environment,
        for: target,
        at: atMs === undefined ? undefined : new Date(atMs).toISOString(),
      };
      const path = `projects/${projectId}/restore-points`;
      const { items, total } = await readPages<RestorePoint>(
        http,
        path,
        query,
        "restorePoints",
        offset + limit,
      );
      return { restorePoints: items.slice(offset), total };
    },
  };
}
