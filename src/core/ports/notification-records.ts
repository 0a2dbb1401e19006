import type { Happening } from "../notification/happening.ts";
import type { Operation } from "../operation/operation.ts";

/** What was told, or is to be told, to whom. Methods are atomic, and reject as the catalog's do. */
export interface NotificationRecords {
  /** Operations that ended at or after an instant, oldest end first. */
  listFinishedOperations(query: {
    readonly sinceMs: number;
    readonly limit: number;
  }): Promise<readonly Operation[]>;
  /** Adds what is not there yet: one of an id is sent once, however often it is planned. */
  planDeliveries(deliveries: readonly NewDelivery[]): Promise<void>;
  /**
   * Takes the delivery that has been due for longest, for one caller alone, who must say how it went before `untilMs`:
   * then it is due again. Counts as a try.
   */
  claimDelivery(nowMs: number, untilMs: number): Promise<Delivery | undefined>;
  /** How a try went. */
  recordDelivery(id: string, change: DeliveryChange): Promise<void>;
  /** Of a notification, newest first. */
  listDeliveries(query: {
    readonly projectId: string;
    readonly name: string;
    readonly limit: number;
  }): Promise<readonly Delivery[]>;
  /** Removes what was planned before an instant. */
  forgetDeliveries(beforeMs: number): Promise<void>;
}

/** One happening for one notification. */
export interface NewDelivery {
  /** Made of both, so that it is the same for everybody. */
  readonly id: string;
  /** Of the notification; empty: of the installation. */
  readonly projectId: string;
  readonly name: string;
  readonly happening: Happening;
  readonly createdAtMs: number;
}

export interface Delivery extends NewDelivery {
  readonly state: DeliveryState;
  /** While it is `due`: not tried before. */
  readonly dueAtMs: number;
  readonly tries: number;
  readonly deliveredAtMs?: number;
  /** Why the last try failed. */
  readonly error?: string;
}

export type DeliveryState = "due" | "delivered" | "given-up";

export type DeliveryChange =
  | { readonly state: "delivered"; readonly deliveredAtMs: number }
  | { readonly state: "due"; readonly dueAtMs: number; readonly error: string }
  | { readonly state: "given-up"; readonly error: string };
