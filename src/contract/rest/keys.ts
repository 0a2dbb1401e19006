import { Type } from "typebox";
import { closed, whole, yes } from "./schema.ts";
import { placeOfRepository } from "./shared.ts";

export const rotateKeyRequest = Type.Object(
  {
    repository: placeOfRepository,
    dryRun: Type.Optional(yes("Say what would be wrapped anew, change nothing.")),
  },
  closed,
);
export const keyRotation = Type.Object(
  {
    keyId: Type.String(),
    rewrapped: whole("Keyrings wrapped anew."),
    alreadyCurrent: whole("Keyrings that needed nothing."),
  },
  { $id: "KeyRotation" },
);
