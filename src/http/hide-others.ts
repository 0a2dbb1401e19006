import type { FastifyRequest } from "fastify";
import type { QueueView } from "../contract/service.ts";
import { mayCall } from "../core/access/may-call.ts";

/** A view as this caller may see it: what it waits behind is nobody's business when it is of another's project. */
export function hideOthers<T extends { readonly queue?: QueueView }>({ caller }: FastifyRequest, view: T): T {
  const { queue } = view;
  if (queue?.behind === undefined || caller === undefined) return view;
  if (mayCall(caller, "look", queue.behind.projectId) === "yes") return view;
  const { behind: _hidden, ...rest } = queue;
  return { ...view, queue: rest };
}
