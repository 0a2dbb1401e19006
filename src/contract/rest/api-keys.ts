import { Type } from "typebox";
import { longestSeconds } from "../../core/problem.ts";
import { roles } from "../access.ts";
import { choice, closed, instant, refer, text, whole } from "./schema.ts";

const projects = Type.Optional(
  Type.Array(Type.String(), { description: "Only for these; absent: all.", maxItems: 1000 }),
);
export const apiKeyRequest = Type.Object(
  {
    name: text("What it is for."),
    role: Type.Optional(choice(roles, { default: "viewer" })),
    projects,
    expiresInSeconds: Type.Optional(
      whole("Valid for so long; absent: until revoked.", { minimum: 1, maximum: longestSeconds }),
    ),
  },
  closed,
);
export const rotateApiKeyRequest = Type.Object(
  {
    overlapSeconds: Type.Optional(
      whole("How long the old one stays valid at most.", {
        minimum: 0,
        maximum: longestSeconds,
        default: 86_400,
      }),
    ),
  },
  closed,
);

const fields = {
  keyId: Type.String(),
  name: Type.String(),
  role: choice(roles),
  projects,
  status: choice(["active", "expired", "revoked"]),
  createdAt: instant("When it was made."),
  expiresAt: Type.Optional(instant("When it ends by itself.")),
  revokedAt: Type.Optional(instant("When it was ended.")),
};
export const apiKey = Type.Object(fields, { $id: "ApiKey" });
export const newApiKey = Type.Object(
  { ...fields, secret: text("Shown this once and kept nowhere.") },
  { $id: "NewApiKey" },
);
export const apiKeyList = Type.Object({ keys: Type.Array(refer(apiKey)) }, { $id: "ApiKeyList" });
