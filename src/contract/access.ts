/**
 * Who may call a server, and what for: API keys and what a request comes to with one. The command line makes and
 * ends keys; the HTTP server asks the `Gatekeeper` about every call.
 */
import { roles, type Role } from "../core/access/validate-api-key.ts";
import type { RequestKey } from "../core/ports/access-records.ts";

export { roles, type Role };

export interface ApiKeyView {
  readonly keyId: string;
  readonly name: string;
  readonly role: Role;
  /** Absent: all projects. */
  readonly projects?: readonly string[];
  readonly status: "active" | "expired" | "revoked";
  readonly createdAt: string;
  readonly expiresAt?: string;
  readonly revokedAt?: string;
}

/** A key just made. `secret` is shown once and kept nowhere. */
export interface NewApiKey extends ApiKeyView {
  readonly secret: string;
}

export interface ApiKeyWish {
  readonly name: string;
  readonly role: Role;
  /** Absent: all projects. */
  readonly projects?: readonly string[];
  /** Absent: never. */
  readonly expiresInSeconds?: number;
}

export interface ApiKeys {
  createApiKey(wish: ApiKeyWish): Promise<NewApiKey>;
  /** Oldest first, with those that are no longer valid. */
  listApiKeys(): Promise<readonly ApiKeyView[]>;
  /** Makes a key like this one; this one stays valid for `overlapSeconds` at most. Rejects with `api-key-not-found`. */
  rotateApiKey(keyId: string, options: { overlapSeconds: number }): Promise<NewApiKey>;
  /** Ends a key at once. Idempotent. Rejects with `api-key-not-found`. */
  revokeApiKey(keyId: string): Promise<ApiKeyView>;
}

/** Who calls. */
export interface Caller {
  readonly keyId: string;
  readonly name: string;
  readonly role: Role;
  readonly projects?: readonly string[];
}

/** What a server asks of the engine about its callers. */
export interface Gatekeeper {
  /** Whose secret this is, if it is valid now. */
  authenticate(secret: string): Promise<Caller | undefined>;
  /**
   * The id under which the request is to be carried out: the same for each repetition within a day. Rejects with
   * `idempotency-key-reused` when the words stood for another request.
   */
  claimRequest(kind: "backup" | "restore", request: RequestKey): Promise<string>;
}
