import { bucketNames, databaseNames, folderNames, type FoundPlace } from "../core/admission/found-place.ts";
import { placesOf, type NamedPlaces } from "../core/admission/operation-place.ts";
import { isBucketUrl } from "../core/files/bucket-url.ts";
import { identifyDatabase } from "../databases/postgres/identify-database.ts";
import { resolveConnection } from "../postgres/connection.ts";
import { openBucket } from "./open-files.ts";
import type { TaskRun } from "./task.ts";

/**
 * What the places of a task are, however they are spelled. Reads only, and of files nothing but what a folder or an
 * endpoint is. Rejects where a database's server cannot be asked.
 */
export async function identifyPlaces(
  { database, storage }: NamedPlaces,
  run: TaskRun,
): Promise<FoundPlace[]> {
  return [
    ...(database === undefined ? [] : [await identify({ database }, databaseNamesOf(database.url, run))]),
    ...(storage === undefined ? [] : [await identify({ storage }, filesNamesOf(storage.url, run))]),
  ];
}

async function identify(named: NamedPlaces, names: Promise<string[]>): Promise<FoundPlace> {
  const [place = ""] = placesOf(named);
  return { place, names: await names };
}

async function databaseNamesOf(url: string, { env }: TaskRun): Promise<string[]> {
  return databaseNames(await identifyDatabase(await resolveConnection(url, env)));
}

async function filesNamesOf(url: string, run: TaskRun): Promise<string[]> {
  if (!isBucketUrl(url)) {
    const { identifyFolder } = await import("../stores/filesystem/identify-folder.ts");
    return folderNames(await identifyFolder(url));
  }
  const { identifyBucket } = await import("../stores/s3/identify-bucket.ts");
  const way = await openBucket(url, run);
  try {
    return bucketNames(way.place, await identifyBucket(way));
  } finally {
    way.close();
  }
}
