import type { LogEntry } from "../http/parts.ts";

/** A line of the log as §9.2 of the requirements has it: one JSON object, on standard output. */
export function writeLog({ level, logger, message, fields }: LogEntry): void {
  const line = { timestamp: new Date().toISOString(), level, logger, message, ...fields };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
