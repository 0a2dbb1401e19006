import type { Copies, CopyView } from "../contract/copies.ts";
import type { LogLine } from "../contract/waiting.ts";
import { placeOf } from "./call-parts.ts";
import type { HttpConnection } from "./http-connection.ts";
import { anyProject, read, readPages } from "./pages.ts";

export function createCopyCalls(http: HttpConnection): Copies {
  const pathOf = (copyId: string): string => `projects/${anyProject}/copies/${encodeURIComponent(copyId)}`;
  return {
    copyBackup: async (reference, options, waiting) =>
      await http.callWaiting(
        { method: "POST", ...placeOf(reference, "/copy"), body: options, repeatable: true },
        waiting,
      ),
    listCopies: async ({ projectId, limit, offset = 0 }) => {
      const path = `projects/${projectId ?? anyProject}/copies`;
      const { items, total } = await readPages<CopyView>(http, path, {}, "copies", offset + limit);
      return { copies: items.slice(offset), total };
    },
    getCopy: async (copyId) => await http.call({ ...read, path: pathOf(copyId) }),
    copyLogs: async (copyId) =>
      (await http.call<{ lines: readonly LogLine[] }>({ ...read, path: `${pathOf(copyId)}/logs` })).lines,
    cancelCopy: async (copyId) => await http.call({ method: "POST", path: `${pathOf(copyId)}/cancel` }),
  };
}
