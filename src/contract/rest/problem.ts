import { Type, type Static } from "typebox";
import { choice, text } from "./schema.ts";

export const problem = Type.Object(
  {
    type: text("urn:lc2:problem: and the code."),
    title: Type.String(),
    status: Type.Integer(),
    detail: text("What failed, on which thing, and what to do next."),
    instance: text("The path that was asked for."),
    code: text("Stable; docs/reference/errors.md lists them."),
    retry: choice(["never", "backoff"]),
    correlationId: Type.String(),
    problems: Type.Optional(
      Type.Array(Type.Object({ code: Type.String(), field: Type.String(), message: Type.String() }), {
        description: "Everything that is wrong with the request, at once.",
      }),
    ),
  },
  { $id: "Problem" },
);
export type ProblemDocument = Static<typeof problem>;
