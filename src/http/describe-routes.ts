import type { TSchema } from "typebox";
import { problem } from "../contract/rest/problem.ts";

const named = (schema: TSchema) => ({ $ref: `${"$id" in schema ? String(schema.$id) : ""}#` });

/** An answer with a body, for the OpenAPI document. */
export const answer = (description: string, schema: TSchema) => ({
  description,
  content: { "application/json": { schema: named(schema) } },
});

/** An answer that comes as one document, or, to who asks for it, as events while the work goes on. */
export const waitingAnswer = (description: string, schema: TSchema) => ({
  description,
  content: {
    "application/json": { schema: named(schema) },
    "text/event-stream": { schema: { type: "string" } },
  },
});

export const noContent = (description: string) => ({ description, type: "null" });

const meanings: Readonly<Record<number, string>> = {
  400: "The request cannot be understood; every problem is named.",
  401: "No valid API key.",
  403: "The key's role does not allow it.",
  404: "There is no such thing, or not for this key.",
  409: "It is in no state for this.",
  412: "The plan is not the one that was approved, or the thing not the one that was seen.",
  413: "The body is too large.",
  415: "The body is not JSON.",
  422: "Understood, and refused.",
  429: "Too many calls without a valid key.",
  500: "A defect of the server, or damage that it found.",
  502: "A database or store that was asked gave no answer or a refusal.",
  503: "The catalog is away, or the server is busy or stopping; see Retry-After.",
};

/** Problem documents of these statuses. The default is what any call may meet. */
export const problems = (...statuses: readonly number[]) =>
  Object.fromEntries(
    [...statuses, 401, 429, 500, 503].map((status) => [
      status,
      {
        description: meanings[status] ?? "",
        content: { "application/problem+json": { schema: named(problem) } },
      },
    ]),
  );

/** What comes of making a definition. */
export const makeAnswers = (schema: TSchema) => ({
  200: answer("It was there already, or this was a dry run.", schema),
  201: answer("Made.", schema),
  ...problems(400, 403, 404, 409, 413, 415, 422),
});

/** What comes of changing a definition, or making it under a name. */
export const changeAnswers = (schema: TSchema) => ({
  200: answer("As it is now.", schema),
  201: answer("Made.", schema),
  ...problems(400, 403, 404, 409, 412, 413, 415, 422),
});

/** What comes of forgetting a definition. */
export const forgetAnswers = (schema: TSchema) => ({
  200: answer("What would be forgotten (a dry run).", schema),
  204: noContent("Forgotten."),
  ...problems(400, 403, 404, 409, 412),
});
