import type { HeadObjectCommandOutput, StorageClass } from "@aws-sdk/client-s3";
import type { S3Connection } from "./s3-connection.ts";

/** Smaller objects cost as much as this in every cheaper class, and what is small here is often replaced. */
export const leastClassBytes = 128 * 1024;

const archives: ReadonlySet<string> = new Set(["GLACIER", "DEEP_ARCHIVE"]);

type ClassFacts = Pick<HeadObjectCommandOutput, "StorageClass" | "ArchiveStatus" | "Restore">;

/** What a request that makes an object says of its class. Which there are is the store's affair. */
export const classInput = (storageClass: string | undefined): { readonly StorageClass?: StorageClass } =>
  storageClass === undefined ? {} : { StorageClass: storageClass as StorageClass };

/** The class of an object where it is not the usual one. */
export function statedClass({ StorageClass: stated }: ClassFacts): { readonly storageClass?: string } {
  return stated === undefined || stated === "STANDARD" ? {} : { storageClass: stated };
}

/** Whether an object is in an archive tier, and no readable copy of it is there for the time being. */
export function isCold({ StorageClass: stated, ArchiveStatus, Restore = "" }: ClassFacts): boolean {
  const isArchived = archives.has(stated ?? "") || ArchiveStatus !== undefined;
  return isArchived && !Restore.includes('ongoing-request="false"');
}

/** The step that brings an archived object back, as a sentence's end. */
export const thawStep = (bucket: string, key: string): string =>
  `Bring it back first (aws s3api restore-object --bucket ${bucket} --key '${key}' --restore-request Days=7), wait until ` +
  "that is done, and run again.";

const noted = new WeakSet<S3Connection>();

/** Says once of a store that it keeps objects in another class than it was asked for. */
export function noteOtherClass(way: S3Connection, asked: string | undefined, found = "STANDARD"): void {
  if (asked === undefined || asked === found || noted.has(way)) return;
  noted.add(way);
  way.notice(`${way.url} keeps objects in the storage class ${found}, though ${asked} was asked for.`);
}
