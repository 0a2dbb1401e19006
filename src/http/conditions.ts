/** Changes that are made only if the thing is still what their sender has seen (RFC 9110, If-Match). */
import { createHash } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { RemoveOptions, Written } from "../contract/definitions.ts";
import type { WriteCondition } from "../core/ports/definition-records.ts";
import { misshapen } from "./problems.ts";

export const ifMatchHeader = Type.Object({
  "if-match": Type.Optional(
    Type.String({ description: "The `ETag` of what is to be changed: if it is another one by now, 412." }),
  ),
});
export const conditionHeaders = Type.Object({
  ...ifMatchHeader.properties,
  "if-none-match": Type.Optional(
    Type.String({ description: "`*`: make it; if there is another one already, 409." }),
  ),
});

/** Of something that shows more than what was said of it: another tag whenever it shows anything else. */
export function shownTagOf(view: { readonly revision: number }): string {
  const hash = createHash("sha256").update(JSON.stringify(view)).digest("base64url").slice(0, 16);
  return `"r${view.revision}.${hash}"`;
}

export const tagOf = ({ revision }: { readonly revision: number }): string => `"r${revision}"`;

/** What a PUT may find. */
export function readCondition({ headers }: FastifyRequest): WriteCondition {
  const revision = readRevision(headers["if-match"]);
  if (revision !== undefined) return { revision };
  return headers["if-none-match"] === "*" ? "absent" : "any";
}

/** What a DELETE may find. */
export function readRemoval({ headers }: FastifyRequest, dryRun: boolean | undefined): RemoveOptions {
  const revision = readRevision(headers["if-match"]);
  return { ...(revision === undefined ? {} : { revision }), ...(dryRun === undefined ? {} : { dryRun }) };
}

function readRevision(tag: string | undefined): number | undefined {
  if (tag === undefined || tag === "*") return undefined;
  const digits = /^(?:W\/)?"r(\d{1,9})(?:\.[\w-]+)?"$/.exec(tag)?.[1];
  if (digits !== undefined) return Number(digits);
  const message = `${tag.slice(0, 80)} is no ETag that this server has given for such a thing.`;
  throw misshapen([{ code: "request-invalid", field: "If-Match", message }]);
}

/** Answers a write: 201 where something was made, else 200, with its tag and place. */
export async function sendWritten<View extends { readonly revision: number }>(
  reply: FastifyReply,
  { outcome, view }: Written<View>,
  { dryRun = false, location }: { readonly dryRun?: boolean; readonly location: string },
): Promise<FastifyReply> {
  if (dryRun) return await reply.send(view);
  reply.header("etag", tagOf(view));
  if (outcome === "created") reply.code(201).header("location", location);
  return await reply.send(view);
}

/** Answers a removal: without a body, or with what it would be of. */
export async function sendForgotten(
  reply: FastifyReply,
  view: object,
  dryRun: boolean,
): Promise<FastifyReply> {
  return dryRun ? await reply.send(view) : await reply.code(204).send();
}
