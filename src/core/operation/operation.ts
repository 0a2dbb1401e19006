import type { FailureRecord } from "../failure.ts";

/**
 * A piece of work that somebody asked for: one row of the catalog, which is also the queue. What it is
 * doing is not stored but read from its tasks; a finished operation never changes again.
 */
export interface Operation {
  readonly id: string;
  readonly kind: OperationKind;
  readonly projectId: string;
  readonly application?: string;
  /** What is backed up, or restored into. */
  readonly environment?: string;
  /** Correlates everything that is said about one request. */
  readonly requestId: string;
  /** The request as it was accepted; JSON. */
  readonly spec: unknown;
  /** Canonical URL, without credentials. */
  readonly repository: string;
  readonly createdAtMs: number;
  /** Counts from 1. Tasks belong to one attempt and write under its name. */
  readonly attempt: number;
  /** No task of the attempt starts before this instant (back-off after a failed attempt). */
  readonly notBeforeMs?: number;
  /** Who works on it. Text that only `processes` can read: a process and when it started. `nobody`: it waits. */
  readonly leaseOwner: string;
  /** When a server last took it from the queue; absent: it was never there, or still waits for the first time. */
  readonly admittedAtMs?: number;
  readonly cancelRequested: boolean;
  /** Names of the places that it works on, once they are known; see `PlaceRecords`. */
  readonly heldPlaces?: readonly string[];
  readonly end?: OperationEnd;
}

/** The owner of what waits for its turn. */
export const nobody = "";

export const isWaiting = ({ leaseOwner, end }: Pick<Operation, "leaseOwner" | "end">): boolean =>
  end === undefined && leaseOwner === nobody;

const handedOverMark = "handed over by ";

/** The owner of what a server that ended in good order left to the next one, with its running workers. */
export const handedOverBy = (owner: string): string => handedOverMark + owner;

export const isHandedOver = ({ leaseOwner, end }: Pick<Operation, "leaseOwner" | "end">): boolean =>
  end === undefined && leaseOwner.startsWith(handedOverMark);

export type OperationKind = "backup" | "restore" | "undo" | "copy";

export interface OperationEnd {
  readonly finishedAtMs: number;
  readonly outcome: Outcome;
  /** Present unless completed. */
  readonly failure?: FailureRecord;
}

export type Outcome = "Completed" | "Failed" | "Cancelled";

/** One worker's run for one attempt of an operation. */
export interface OperationTask {
  readonly operationId: string;
  readonly attempt: number;
  /** Unique in the attempt: `prepare`, `database`, `files`, `seal`, … */
  readonly name: string;
  readonly state: TaskState;
  /** The worker's process, for whoever has to end it after its owner died. */
  readonly worker?: string;
  readonly startedAtMs: number;
  readonly finishedAtMs?: number;
  /** The last progress message; JSON. */
  readonly progress?: unknown;
  /** ISO instant the database's snapshot was exported at. */
  readonly recoveryPoint?: string;
  /** The worker's result; JSON, by task. */
  readonly result?: unknown;
  readonly failure?: FailureRecord;
}

/**
 * - `running`: a worker was started and its end is not recorded,
 * - `done` / `failed`: it said so itself; `failed` also when it was stopped on request,
 * - `lost`: it ended, or its owner died, before it could say anything: what it did is unknown.
 */
export type TaskState = "running" | "done" | "failed" | "lost";

/** What a decision reads of a task. */
export interface TaskFacts {
  readonly state: TaskState;
  readonly failure?: FailureRecord;
}

export type TaskFactsByName = Readonly<Record<string, TaskFacts | undefined>>;

/** A line for people, kept with the operation. */
export interface LogLine {
  readonly at: string;
  readonly level: "info" | "warn" | "error";
  readonly message: string;
}
