import type { DoctorCheck } from "../host.ts";
import { printable } from "../terminal.ts";
import type { Paint } from "../terminal.ts";

/** A line for each thing looked at, and what to do where it is not right. */
export function showDoctor(checks: readonly DoctorCheck[], paint: Paint): string {
  const words = {
    ok: paint.green("ok     "),
    warning: paint.yellow("warning"),
    failed: paint.red("failed "),
  };
  const width = Math.max(0, ...checks.map(({ name }) => name.length));
  const indent = " ".repeat(width + 11);
  const lines = checks.map(({ name, state, finding, fix }) => {
    const [first = "", ...more] = finding.split("\n").map((line) => printable(line));
    const hanging = more.map((line) => `${indent}${line}\n`).join("");
    const advice = fix === undefined ? "" : `${indent}${paint.bold("do:")} ${printable(fix)}\n`;
    return `${words[state]}  ${name.padEnd(width)}  ${first}\n${hanging}${advice}`;
  });
  const failed = checks.filter(({ state }) => state === "failed").length;
  const verdict =
    failed === 0
      ? paint.green("Ready.")
      : paint.red(`${failed} needed ${failed === 1 ? "thing is" : "things are"} wrong.`);
  return `${lines.join("")}${verdict}\n`;
}
