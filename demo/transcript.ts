/** What the demo prints: numbered steps, facts under them, commands as a person would type them. */
import type { Writable } from "node:stream";

export interface Transcript {
  title(text: string): void;
  /** Begins a numbered step. */
  step(text: string): void;
  /** A fact under the step: a name, and what it is. */
  fact(name: string, value: string): void;
  good(text: string): void;
  bad(text: string): void;
  note(text: string): void;
  command(line: string): void;
  blank(): void;
}

/** Plain text, and colours where `colour` is true. */
export function createTranscript(out: Writable, colour: boolean): Transcript {
  const paint = (code: number, text: string) => (colour ? `\u001B[${code}m${text}\u001B[0m` : text);
  const bold = (text: string) => paint(1, text);
  const dim = (text: string) => paint(2, text);
  const line = (text: string) => out.write(`${text}\n`);
  let steps = 0;
  return {
    title: (text) => line(bold(text)),
    step: (text) => {
      steps += 1;
      line(`\n${paint(36, String(steps).padStart(2))}  ${bold(text)}`);
    },
    fact: (name, value) => line(`    ${dim(name.padEnd(11))} ${value}`),
    good: (text) => line(`    ${paint(32, "✓")} ${text}`),
    bad: (text) => line(`    ${paint(31, "✗")} ${text}`),
    note: (text) => line(`    ${dim(text)}`),
    command: (text) => {
      const [first = "", ...more] = foldCommand(text);
      line(`    ${dim("$")} ${paint(33, first)}`);
      for (const rest of more) line(`          ${paint(33, rest)}`);
    },
    blank: () => line(""),
  };
}

/** A long command in lines that a shell takes as one: each begins with an option. */
function foldCommand(text: string): string[] {
  const lines: string[] = [];
  for (const part of text.split(/ (?=--)/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + part.length < 90) lines[lines.length - 1] = `${last} ${part}`;
    else lines.push(part);
  }
  return lines.map((one, index) => (index < lines.length - 1 ? `${one} \\` : one));
}

/** `1.23 GB`, in steps of a thousand. */
export function showBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${units[unit] ?? ""}`;
}

/** `5,795` */
export function showCount(count: number): string {
  return count.toLocaleString("en-US");
}

export function showSeconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
