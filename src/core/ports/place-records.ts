import type { FoundPlace } from "../admission/found-place.ts";
import type { OperationKind } from "../operation/operation.ts";

/** What places are, whoever spells them how, and who works on them. Methods are atomic, and reject as the catalog's do. */
export interface PlaceRecords {
  /**
   * Notes that the operation works on the places of these names, unless another one that has begun and has not ended
   * noted one of them before: of two that ask at the same moment one is refused. `beside`: kinds of operations that do
   * not stand in its way. Idempotent.
   */
  holdPlaces(
    id: string,
    owner: string,
    places: { readonly names: readonly string[]; readonly beside: readonly OperationKind[] },
  ): Promise<PlaceHold>;
  /** Notes what was found at places; what was found there before is forgotten. */
  rememberPlaces(found: readonly FoundPlace[], nowMs: number): Promise<void>;
  listKnownPlaces(): Promise<readonly FoundPlace[]>;
}

export type PlaceHold =
  | { readonly type: "held" }
  /** Another one holds the place of this name. */
  | { readonly type: "busy"; readonly name: string }
  /** The owner holds the operation's lease no longer. */
  | { readonly type: "lost" };
