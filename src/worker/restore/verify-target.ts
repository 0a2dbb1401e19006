import { Failure } from "../../core/failure.ts";
import { mergeJoin } from "../../core/files/merge-join.ts";
import type { SourceEntry } from "../../core/ports/file-source.ts";
import type { FileTarget } from "../../core/ports/file-target.ts";
import { showKey, type ManifestEntry } from "../../core/repository/manifest.ts";
import { haveSameTime } from "../../core/restore/compare-files.ts";
import { isHeld } from "../../core/restore/held-entries.ts";
import { forEachAtOnce } from "../at-once.ts";
import { Breather } from "../breather.ts";
import { nothing, type ChangeOptions } from "./file-change.ts";
import { NeighbourList } from "./neighbour-list.ts";

const namesShown = 10;

/**
 * Lists a restored target once more and compares it with what was wanted: everything is there, with its kind,
 * size, and the time and mode where they are kept; in a mirror nothing else is. Contents are not read again: a
 * folder's were read back when they were written, a bucket compared each with the checksum that was sent along, and
 * what had been there already was hashed. Rejects with `restored-files-differ`, naming the first.
 */
export async function verifyTarget(
  target: FileTarget,
  wanted: AsyncIterable<readonly ManifestEntry[]>,
  options: ChangeOptions,
): Promise<void> {
  const names: string[] = [];
  let differing = 0;
  const breather = new Breather(options.signal);
  const neighbours = new NeighbourList(target, options);
  const isKept = (entry: ManifestEntry) => target.keeps.folders || isHeld(entry);
  const listed = options.listsTarget ? target.list({ filter: options.filter }) : nothing();
  for await (const joined of mergeJoin(wanted, listed)) {
    const batch = joined.filter(
      ({ key, left }) => options.isIncluded(key) && (left === undefined || isKept(left)),
    );
    const found = batch.map(({ right }) => right);
    if (!options.listsTarget) {
      const known = await neighbours.find(batch.map(({ key }) => key));
      await forEachAtOnce(batch.entries(), target.changesAtOnce, async ([index, { key }]) => {
        found[index] = known.has(key) ? known.get(key) : await target.look(key);
      });
    }
    batch.forEach(({ key, left }, index) => {
      const right = found[index];
      const problem = left === undefined ? surplus(right, options) : differenceOf(left, right, target);
      if (problem === undefined) return;
      differing += 1;
      if (names.length < namesShown) names.push(`${showKey(key)} ${problem}`);
    });
    if (breather.isDue()) await breather.breathe();
  }
  if (differing === 0) return;
  throw new Failure(
    "restored-files-differ",
    `${differing} objects of ${target.url} are not as the backup has them: ${names.join(", ")}` +
      `${differing > names.length ? ", …" : ""}. Another program probably writes there. Stop it and run the restore ` +
      "again, or undo it.",
  );
}

function surplus(found: SourceEntry | undefined, options: ChangeOptions): string | undefined {
  if (options.mode === "merge" || found === undefined || found.problem?.reason === "special")
    return undefined;
  if (!options.isCovered(found.key)) return undefined;
  // A folder that holds something which could not be put back stays for its sake.
  return found.kind === "directory" ? undefined : "should not be there";
}

function differenceOf(
  wanted: ManifestEntry,
  found: SourceEntry | undefined,
  target: FileTarget,
): string | undefined {
  if (found === undefined) return "is missing";
  if (found.kind !== wanted.kind) return `is a ${found.kind}`;
  if (wanted.kind === "symlink") return found.target === wanted.target ? undefined : "points elsewhere";
  if (!target.keeps.modesAndTimes)
    return found.sizeBytes === wanted.sizeBytes ? undefined : `has ${found.sizeBytes} bytes`;
  if (found.mode !== wanted.mode) return `has mode ${found.mode.toString(8)}`;
  if (target.keeps.owners && wanted.uid !== undefined && found.uid !== wanted.uid) return "has another owner";
  if (wanted.kind === "directory") return undefined;
  if (found.sizeBytes !== wanted.sizeBytes) return `has ${found.sizeBytes} bytes`;
  return haveSameTime(wanted, found) ? undefined : "has another modification time";
}
