/** What the catalog keeps about the callers of a server. Methods are atomic, and reject as the catalog's do. */
export interface AccessRecords {
  /** False when there is a key of this id or secret. */
  addApiKey(key: ApiKeyRecord): Promise<boolean>;
  /** Valid or not. */
  findApiKey(secretHash: string): Promise<ApiKeyRecord | undefined>;
  /** Oldest first. */
  listApiKeys(): Promise<readonly ApiKeyRecord[]>;
  /** False when there is no key of this id. */
  changeApiKey(
    id: string,
    change: { readonly expiresAtMs?: number; readonly revokedAtMs?: number },
  ): Promise<boolean>;

  /** Keeps the request, unless there is one of its two keys: returns the one that is kept. */
  claimRequestKey(request: RequestKeyRecord): Promise<RequestKeyRecord>;
  /** Forgets requests of before the instant. */
  forgetRequestKeys(beforeMs: number): Promise<void>;
}

export interface ApiKeyRecord {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  /** Absent: all projects. */
  readonly projects?: readonly string[];
  /** SHA-256 of the secret, lower-case hex. The secret itself is nowhere. */
  readonly secretHash: string;
  readonly createdAtMs: number;
  readonly expiresAtMs?: number;
  readonly revokedAtMs?: number;
}

/** A request that its sender may repeat without it being done twice. */
export interface RequestKey {
  /** The caller's API key: the same words of two callers are two requests. */
  readonly keyId: string;
  /** As the sender chose it. */
  readonly idempotencyKey: string;
  /** Of everything that was asked for: the same words with another request are a mistake. */
  readonly fingerprint: string;
}

export interface RequestKeyRecord extends RequestKey {
  /** Of what the request makes. */
  readonly operationId: string;
  readonly createdAtMs: number;
}
