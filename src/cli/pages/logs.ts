import type { LogLine } from "../../contract/service.ts";
import { printable } from "../terminal.ts";
import type { Paint } from "../terminal.ts";

/** One line for each thing said: time, level, words. A run without trouble may say nothing. */
export function showLogs(lines: readonly LogLine[], paint: Paint): string {
  if (lines.length === 0) return "Nothing was said while it ran; `describe` shows how it went.\n";
  const level = { info: paint.dim("info "), warn: paint.yellow("warn "), error: paint.red("error") };
  return lines
    .map(({ at, level: name, message }) => {
      const [first = "", ...more] = message.split("\n").map((line) => printable(line));
      const hanging = more.map((line) => `${" ".repeat(at.length + 9)}${line}\n`).join("");
      return `${paint.dim(at)}  ${level[name]}  ${first}\n${hanging}`;
    })
    .join("");
}
