import type { QueueView } from "../contract/service.ts";
import {
  admitOperations,
  type Admission,
  type AdmissionLimits,
  type WaitingOperation,
} from "../core/admission/admit-operations.ts";
import { storeAccountOf, type StoreWait } from "../core/admission/store-wait.ts";
import type { Clock } from "../core/ports/clock.ts";
import { namesOf, toKnownPlaces, type KnownPlaces } from "../core/admission/found-place.ts";
import type { NamedPlaces } from "../core/admission/operation-place.ts";
import { isWaiting, type Operation } from "../core/operation/operation.ts";
import type { Catalog, QueueObservation } from "../core/ports/catalog.ts";
import { startTooLate } from "../core/schedule/start-too-late.ts";
import { Bell } from "./bell.ts";
import { projectOf } from "./read-project.ts";
import type { BackupRequest } from "./run-backup.ts";
import type { RestoreRequest } from "./run-restore.ts";
import type { UndoRequest } from "./run-undo.ts";

/** Many may follow what waits at once, each looking twice a second. */
const standingsLastMs = 1_000;

/** What waits for its turn, as this process sees it: rung when something was added or has ended. The queue itself is in the catalog. */
export class OperationQueue extends Bell {
  readonly #limits: AdmissionLimits;
  readonly #clock: Clock;
  #storeWaits: readonly StoreWait[] = [];
  #standings: { readonly atMs: number; readonly read: Promise<ReadonlyMap<string, Admission>> } | undefined;

  constructor(limits: AdmissionLimits, clock: Clock) {
    super();
    this.#limits = limits;
    this.#clock = clock;
  }

  /** What may begin now, and what the others wait for; nothing of what came too late for its window. */
  decide(queue: QueueObservation): Admission[] {
    const known = toKnownPlaces(queue.knownPlaces);
    const running = queue.open
      .filter((operation) => !isWaiting(operation))
      .map((operation) => describe(operation, known));
    const nowMs = this.#clock.nowMs();
    const waiting = queue.open
      .filter((operation) => isWaiting(operation) && !isTooLate(operation, nowMs))
      .map((operation) => describe(operation, known)) as WaitingOperation[];
    const { served, storeWaits } = queue;
    this.#storeWaits = storeWaits;
    const projectCaps = queue.projects
      .map(projectOf)
      .flatMap(({ projectId, maxConcurrentOperations }) =>
        maxConcurrentOperations === undefined ? [] : { projectId, operations: maxConcurrentOperations },
      );
    const limits = this.#limits;
    return admitOperations({ running, waiting, served, storeWaits, projectCaps, limits, nowMs });
  }

  /** Stores that were away or throttled when this process last looked. */
  get storeWaits(): readonly StoreWait[] {
    return this.#storeWaits;
  }

  /** Where a waiting operation stands; undefined when it waits no longer. */
  async viewOf(catalog: Catalog, operation: Operation): Promise<QueueView | undefined> {
    if (!isWaiting(operation)) return undefined;
    const standing =
      (await this.#read(catalog)).get(operation.id) ?? (await this.#readAnew(catalog)).get(operation.id);
    const waitsSince = new Date(operation.createdAtMs).toISOString();
    if (standing === undefined) return undefined;
    if (standing.admit)
      return { waitsSince, reason: "nothing is in its way, and a running `lc2 serve` begins it" };
    const { position, of, behind, reason } = standing;
    return { waitsSince, position, of, ...(behind === undefined ? {} : { behind }), reason };
  }

  async #read(catalog: Catalog): Promise<ReadonlyMap<string, Admission>> {
    const known = this.#standings;
    if (known === undefined || performance.now() - known.atMs > standingsLastMs)
      return await this.#readAnew(catalog);
    return await known.read;
  }

  async #readAnew(catalog: Catalog): Promise<ReadonlyMap<string, Admission>> {
    const read = catalog
      .observeQueue()
      .then((queue) => new Map(this.decide(queue).map((one) => [one.id, one])));
    this.#standings = { atMs: performance.now(), read };
    return await read;
  }
}

const isTooLate = (operation: Operation, nowMs: number): boolean =>
  operation.kind === "backup" &&
  startTooLate(operation, (operation.spec as BackupRequest).scheduled, nowMs) !== undefined;

function describe(operation: Operation, known: KnownPlaces) {
  const {
    id,
    kind,
    projectId,
    createdAtMs,
    admittedAtMs = createdAtMs,
    notBeforeMs,
    heldPlaces = [],
  } = operation;
  return {
    id,
    kind,
    projectId,
    createdAtMs,
    places: [...new Set([...namesOf(namedBy(operation), known), ...heldPlaces])],
    stores: storesOf(operation),
    ...(isWaiting(operation) ? {} : { begunAtMs: admittedAtMs }),
    ...(notBeforeMs === undefined ? {} : { notBeforeMs }),
  };
}

/** Where its requests go: the repository's store, and those of its source or target. */
export function storesOf(operation: Operation): string[] {
  const { storage } = namedBy(operation);
  const urls = [operation.repository, ...(storage === undefined ? [] : [storage.url])];
  return [...new Set(urls.flatMap((url) => storeAccountOf(url) ?? []))];
}

/** Copies read a repository, which any number may. */
export function namedBy({ kind, spec }: Operation): NamedPlaces {
  switch (kind) {
    case "backup":
      return (spec as BackupRequest).spec;
    case "restore":
      return (spec as RestoreRequest).spec;
    case "undo": {
      const { database, files } = (spec as UndoRequest).plan;
      return {
        ...(database === undefined ? {} : { database }),
        ...(files === undefined ? {} : { storage: files }),
      };
    }
    case "copy":
      return {};
  }
}
