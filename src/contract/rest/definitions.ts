/** What projects, environments and their like have in common on the wire. */
import { Type } from "typebox";
import { closed, instant, whole } from "./schema.ts";

export const definitionFacts = {
  revision: whole("One more with each change; the `ETag` is made of it."),
  createdAt: instant("When it was made."),
  changedAt: Type.Optional(instant("When somebody last said something of it; absent: made with defaults.")),
};
export const dryRunQuery = Type.Object(
  { dryRun: Type.Optional(Type.Boolean({ description: "Say what would be done, do nothing." })) },
  closed,
);
