import { Type } from "typebox";
import { choice } from "./schema.ts";

export const health = Type.Object(
  {
    status: choice(["ready", "degraded", "unready"]),
    dependencies: Type.Array(
      Type.Object({ name: Type.String(), status: choice(["ok", "degraded", "down"]) }),
    ),
  },
  { $id: "Health" },
);
