/**
 * Who encrypts what a repository stores. `client`: this software, before a byte leaves the machine. `server`: the
 * store, with a key that is named to it, which it states of every object.
 */
export type EncryptionMode = "client" | "server";

/** How a store encrypts objects, in S3's terms; asked for, and as a store states it of an object. */
export interface ServerEncryption {
  /** `aws:kms`: a key of a key service, named. `AES256`: a key of the store's own. */
  readonly algorithm: "aws:kms" | "AES256";
  /** Of `aws:kms`: the key's id, ARN or alias when asked for; as the store states it, which is mostly the ARN. */
  readonly keyId?: string;
}

/** Whether what a store states of an object is what was asked for. */
export function isProved(wanted: ServerEncryption, stated: ServerEncryption | undefined): boolean {
  if (stated?.algorithm !== wanted.algorithm) return false;
  return wanted.keyId === undefined || isSameKey(wanted.keyId, stated.keyId ?? "");
}

/** A key asked for by its id is stated by its ARN; which key an alias stands for only the store knows. */
function isSameKey(wanted: string, stated: string): boolean {
  if (stated === wanted) return true;
  if (wanted.includes("alias/")) return stated !== "";
  return stated.endsWith(`/${wanted}`) || stated.endsWith(`:${wanted}`);
}

/** For people. */
export const describeEncryption = ({ algorithm, keyId }: ServerEncryption): string =>
  algorithm === "AES256"
    ? "a key of the store's own (AES256)"
    : `the key ${keyId ?? "that the store chose"} (aws:kms)`;

/** What a request says of encryption; what it leaves out is the repository's affair. */
export interface EncryptionWish {
  readonly encryption?: EncryptionMode;
  /** Id, ARN or alias of the key in the store's key service; absent: the store's own. */
  readonly kmsKey?: string;
}

export const wantedEncryption = ({ kmsKey }: EncryptionWish): ServerEncryption =>
  kmsKey === undefined ? { algorithm: "AES256" } : { algorithm: "aws:kms", keyId: kmsKey };

interface EncryptionFacts {
  readonly encryption: EncryptionMode;
  readonly serverEncryption?: ServerEncryption;
}

/**
 * Why a backup may not be made in the way that the repository describes; undefined: it may. The description can be
 * changed by whoever can write the repository, so it alone neither makes data leave this machine unencrypted nor chooses
 * the key: the request names the key, or the project's newest sealed backup does, whose metadata is signed (`newest`;
 * undefined where there is none), or the request says `server` and so the store's own key. An alias in the wish is
 * believed to stand for any key: who can ask the store resolves it before.
 */
export function encryptionProblem(
  wish: EncryptionWish,
  repository: EncryptionFacts,
  newest: EncryptionFacts | undefined,
): string | undefined {
  const { encryption: mode, serverEncryption } = repository;
  if (wish.encryption !== undefined && wish.encryption !== mode)
    return mode === "client"
      ? "the repository was made for encryption by lc2 (client), and the request asks for encryption by the store (server)"
      : "the repository was made for encryption by the store (server), and the request asks for encryption by lc2 (client)";
  if (mode === "client") return undefined;
  if (serverEncryption === undefined) return "the repository does not say how the store encrypts";
  const described = describeEncryption(serverEncryption);
  if (wish.kmsKey !== undefined && !isProved(wantedEncryption(wish), serverEncryption))
    return `the store encrypts it with ${described}, and the request names the key ${wish.kmsKey}`;
  const confirmed = newest?.serverEncryption;
  if (wish.kmsKey !== undefined && wish.encryption === "server") return undefined;
  if (confirmed !== undefined)
    return isEqual(confirmed, serverEncryption)
      ? undefined
      : `it says that the store encrypts with ${described}, and this project's newest backup says ${describeEncryption(confirmed)}; ` +
          "if that is what you want, name the key with --encryption server --kms-key";
  if (wish.encryption !== "server")
    return (
      `it says that the store encrypts, with ${described}, and no backup of this project confirms ` +
      "that; if that is what you want, say it with --encryption server"
    );
  return isProved(wantedEncryption(wish), serverEncryption)
    ? undefined
    : `it says that the store encrypts with ${described}, and no backup of this project confirms that; ` +
        "if that is what you want, name the key with --kms-key, too";
}

/** Of two that were recorded as a store stated them. */
const isEqual = (one: ServerEncryption, other: ServerEncryption): boolean =>
  one.algorithm === other.algorithm && one.keyId === other.keyId;
