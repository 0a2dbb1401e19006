import type { TextSink } from "./terminal.ts";
import { toYaml } from "./yaml.ts";

export const outputFormats = ["table", "json", "yaml", "name", "wide"] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** One value for programs: the only thing a command writes to standard output. */
export function writeValue(sink: TextSink, format: "json" | "yaml", value: unknown): void {
  sink.write(format === "json" ? `${JSON.stringify(value, undefined, 2)}\n` : toYaml(value));
}
