import { Type } from "typebox";
import { closed, instant, refer, text, yes } from "./schema.ts";
import { cursor, limit, page } from "./shared.ts";

export const restorePointListQuery = Type.Object(
  {
    environment: Type.Optional(text("Only of this environment.")),
    for: Type.Optional(text("For a restore into this environment: what it does not take is not usable.")),
    at: Type.Optional(instant("At or before it.")),
    limit,
    cursor,
  },
  closed,
);
export const restorePoint = Type.Object(
  {
    backupId: Type.String(),
    environment: Type.Optional(Type.String()),
    at: instant("The instant whose state it is."),
    database: yes("It has a database."),
    files: yes("It has files."),
    verifiedAt: Type.Optional(instant("When it was last found whole.")),
    usable: yes("It can be gone back to."),
    reason: Type.Optional(text("Why it cannot.")),
  },
  { $id: "RestorePoint" },
);
export const restorePointPage = Type.Object(
  { restorePoints: Type.Array(refer(restorePoint)), ...page },
  { $id: "RestorePointPage" },
);
