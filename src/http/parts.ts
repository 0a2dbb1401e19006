import type { Caller, Gatekeeper } from "../contract/access.ts";
import type { Lc2Service } from "../contract/service.ts";
import type { OperationCount } from "../core/ports/catalog.ts";
import type { SlotCount } from "../core/ports/schedule-records.ts";

/** What the server works with; `main` chooses it. */
export interface HttpParts {
  readonly service: Lc2Service;
  readonly gatekeeper: Gatekeeper;
  /** Of this software. */
  readonly version: string;
  readonly nowMs: () => number;
  /** Twelve random characters of `0-9a-f`. */
  readonly newId: () => string;
  readonly log: (entry: LogEntry) => void;
  /** What the server depends on; never rejects. */
  readonly checkDependencies: () => Promise<readonly Dependency[]>;
  /** Keys for some projects only may name any database, folder or bucket that this server can reach. */
  readonly trustsOperators: boolean;
  /** Every operation the catalog has, counted. */
  readonly countOperations: () => Promise<readonly OperationCount[]>;
  /** Every answered slot of a schedule, counted. */
  /** Operations of this process that move no byte. */
  readonly countStalled: () => number;
  readonly countSlots: () => Promise<readonly SlotCount[]>;
  /** Aborted when the server takes nothing new any more. */
  readonly stopping: AbortSignal;
}

/** Without the catalog there is no answer; without another one there are some. */
export interface Dependency {
  readonly name: "catalog" | "repository";
  readonly status: "ok" | "degraded" | "down";
}

/** One line of the log. No member may hold a secret. */
export interface LogEntry {
  readonly level: "INFO" | "WARN" | "ERROR";
  readonly logger: string;
  readonly message: string;
  readonly fields?: Readonly<Record<string, string | number | undefined>>;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Absent before, and where nobody has to say who they are. */
    caller: Caller | undefined;
  }
}
