import type { Damage } from "../../contract/worker-task.ts";
import { printable } from "../terminal.ts";
import type { Paint } from "../terminal.ts";

/** Every damage in a line: which thing, what is wrong, the code. */
export function showDamages(damages: readonly Damage[], paint: Paint): string {
  return damages
    .map(({ backupId, name, message, code }) => {
      const where = backupId === undefined ? printable(name) : `${backupId}: ${printable(name)}`;
      return `  ${paint.red("damaged")}  ${where}\n           ${printable(message)} ${paint.dim(`(${code})`)}\n`;
    })
    .join("");
}
