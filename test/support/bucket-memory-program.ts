/**
 * Backs up the bucket of synthetic-bucket-server.ts through the real code and prints what it found. Arguments: its
 * endpoint, URL of the repository (a folder's path or s3://…), number of small objects (their first backup is
 * made from a source in memory, so that the second one lists and joins them), bytes of the large one.
 */
import type { FileSource, SourceEntry } from "../../src/core/ports/file-source.ts";
import { parseBucketUrl } from "../../src/core/files/bucket-url.ts";
import { openFilesystemStore } from "../../src/stores/filesystem/filesystem-store.ts";
import { openBucketSource } from "../../src/stores/s3/bucket-source.ts";
import { openS3 } from "../../src/stores/s3/s3-connection.ts";
import { openS3Store } from "../../src/stores/s3/s3-store.ts";
import { backUpFolder, openFilesPlace } from "./files-run.ts";
import { modifiedAt, smallBytes, smallEtag, smallKeyOf } from "./synthetic-bucket.ts";

const [endpoint = "", repository = "", small = "0", large = "0"] = process.argv.slice(2);
const smallObjects = Number(small);

function connect(url: string) {
  const parsed = parseBucketUrl(url);
  if ("problem" in parsed) throw new Error(parsed.problem);
  return openS3(parsed.place, process.env);
}

const url = `s3://synthetic?endpoint=${encodeURIComponent(endpoint)}&region=us-east-1`;
const bucketSource = (): FileSource => openBucketSource(connect(url), 16);

const entryOf = (index: number): SourceEntry => ({
  key: smallKeyOf(index),
  kind: "file",
  sizeBytes: smallBytes,
  mtimeNs: `${modifiedAt.getTime()}000000`,
  mode: 0o644,
  version: smallEtag(index),
  object: {},
});

/** What the server lists, at once. */
const listedInMemory: FileSource = {
  url: bucketSource().url,
  async *list() {
    for (let index = 0; index < smallObjects; index += 500) {
      const length = Math.min(500, smallObjects - index);
      yield await Promise.resolve(Array.from({ length }, (_, i) => entryOf(index + i)));
    }
  },
  open: (key) => {
    let left = smallBytes;
    const facts = entryOf(Number(/(\d+)\.html$/.exec(key)?.[1] ?? "0"));
    return {
      facts,
      read: (into) => {
        const length = Math.min(left, into.length);
        into.fill(key.charCodeAt(key.length - 6), 0, length);
        left -= length;
        return length;
      },
      factsNow: () => facts,
      close: () => undefined,
    };
  },
  hasRoomFor: () => true,
};

const store = repository.startsWith("s3:")
  ? openS3Store(connect(repository))
  : openFilesystemStore(repository);
const place = openFilesPlace(store);
if (smallObjects > 0) await backUpFolder(place, "/unused", { number: 1, source: listedInMemory });
const backup = await backUpFolder(place, "/unused", { number: 2, source: bucketSource() });
const files = backup.components.files;
const facts = {
  objects: files?.objects,
  newObjects: files?.newObjects,
  sourceBytes: files?.sourceBytes,
  storedBytes: files?.stored.sizeBytes,
  peakMiB: Math.round(process.resourceUsage().maxRSS / 1024),
};
place.close();
if (files?.objects !== smallObjects + (Number(large) > 0 ? 1 : 0)) throw new Error(JSON.stringify(facts));
console.log(JSON.stringify(facts));
process.exit(0);
