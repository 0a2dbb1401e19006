import { defineGroup } from "../command.ts";

export const restoreGroup = defineGroup("restore", "plan, run and undo restores", []);
