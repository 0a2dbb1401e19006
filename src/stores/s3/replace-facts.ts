import { CopyObjectCommand, HeadObjectCommand, type StorageClass } from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import type { ObjectFacts } from "../../core/repository/manifest.ts";
import type { ObjectStatement } from "./answered-facts.ts";
import { copySourceInput, copyWholeInParts, mostCopiedBytes, type CopySource } from "./copy-in-parts.ts";
import { toHeaders, type ObjectHeaders } from "./object-headers.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isConditionFailed, s3Failure, type Deed } from "./s3-failure.ts";

/**
 * Gives an object other headers, metadata and tags by copying it onto itself within the store; its bytes do not
 * travel. `now` says what it is like; one that changed since is left alone (`restore-target-changed`). Larger ones
 * than `inOneRequest` are copied in parts.
 */
export async function replaceFacts(
  way: S3Connection,
  name: string,
  now: ObjectStatement,
  facts: ObjectFacts | undefined,
  inOneRequest = mostCopiedBytes,
): Promise<void> {
  const deed: Deed = { verb: "set the metadata of", action: "s3:PutObject", key: name };
  const { StorageClass } = now;
  const wanted = { ...toHeaders(facts), ...(StorageClass === undefined ? {} : { StorageClass }) };
  try {
    const source = { bucket: way.bucket, key: name, sizeBytes: now.ContentLength ?? 0, etag: now.ETag };
    if (source.sizeBytes > inOneRequest) await copyWholeInParts(way, source, { key: name, ...wanted });
    else await copyWhole(way, source, wanted);
    const after = await way.client.send(new HeadObjectCommand({ Bucket: way.bucket, Key: name }));
    if (after.ContentLength === now.ContentLength) return assertFactsSet(way, name, facts, now, after);
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (!isConditionFailed(error)) throw s3Failure(error, way, deed);
    throw new Failure(
      "restore-target-changed",
      `${name} in ${way.url} changed while files were restored. Stop what changes the bucket and run the restore again, or undo it.`,
      { cause: error },
    );
  }
  throw new Failure(
    "store-failed",
    `${name} in ${way.url} was given its metadata and has another size now. Do not rely on this store until the cause is known.`,
  );
}

/**
 * Some stores take such a copy for one that changes nothing, and say that all is well. A fact that became another one
 * than was wanted is the store's way to write it; one that had to change and did not was ignored. Left out is what
 * not every store keeps (`Expires` as text, redirects) or says as it was given (metadata that is not ASCII).
 */
function assertFactsSet(
  way: S3Connection,
  name: string,
  facts: ObjectFacts = {},
  now: ObjectStatement,
  after: ObjectStatement,
): void {
  const [before, found] = [comparableFacts(now), comparableFacts(after)];
  const ignored = Object.entries(wantedFacts(facts, before)).filter(
    ([fact, wanted]) => before[fact] !== wanted && found[fact] === before[fact],
  );
  if (ignored.length === 0) return;
  throw new Failure(
    "store-failed",
    `${name} in ${way.url} was given its metadata anew, and the store ignored it: ` +
      `${ignored.map(([fact]) => fact).join(", ")} is as before. Use a newer version of the store, or remove the ` +
      "object and run the restore again, which writes it whole.",
  );
}

type FactTexts = Readonly<Record<string, string | undefined>>;

function comparableFacts(head: ObjectStatement): FactTexts {
  const { ContentType, ContentDisposition, CacheControl, Metadata = {} } = head;
  return { ContentType, ContentDisposition, CacheControl, ...prefixed(Metadata) };
}

function wantedFacts(facts: ObjectFacts, before: FactTexts): FactTexts {
  const { contentType = before["ContentType"], contentDisposition, cacheControl, metadata = {} } = facts;
  const gone = Object.keys(before).filter((fact) => fact.startsWith(metadataMark));
  const texts: FactTexts = {
    ContentType: contentType,
    ContentDisposition: contentDisposition,
    CacheControl: cacheControl,
    ...Object.fromEntries(gone.map((fact) => [fact, undefined])),
    ...prefixed(metadata),
  };
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => /^[\x20-\x7e]*$/.test(text ?? "")));
}

const metadataMark = "metadata ";

const prefixed = (metadata: Readonly<Record<string, string>>): FactTexts =>
  Object.fromEntries(
    Object.entries(metadata).map(([fact, text]) => [metadataMark + fact.toLowerCase(), text]),
  );

type Wanted = ObjectHeaders & { readonly StorageClass?: StorageClass };

async function copyWhole(way: S3Connection, source: CopySource, wanted: Wanted): Promise<void> {
  const input = {
    Bucket: way.bucket,
    Key: source.key,
    ...copySourceInput(source),
    MetadataDirective: "REPLACE" as const,
    TaggingDirective: "REPLACE" as const,
    ...wanted,
  };
  await way.client.send(new CopyObjectCommand(input));
}
