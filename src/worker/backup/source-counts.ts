import { sourceProblem, type SourceTotals } from "../../core/files/source-totals.ts";
import type { Failure } from "../../core/failure.ts";
import type { FileFilter } from "../../core/files/filter.ts";
import type { ManifestLine } from "../../core/repository/manifest-line.ts";
import type { PreviousFiles } from "./previous-files.ts";

interface Sized {
  readonly sizeBytes: number;
}

/** Counts what a backup of files holds, and what its source has now and had at the last backup. */
export class SourceCounts {
  readonly #filter: FileFilter;
  readonly #now: SourceTotals = { files: 0, others: 0, bytes: 0 };
  readonly #before: SourceTotals = { files: 0, others: 0, bytes: 0 };
  /** As the component states them. */
  readonly stated = {
    objects: 0,
    directories: 0,
    symlinks: 0,
    sourceBytes: 0,
    newObjects: 0,
    unchangedObjects: 0,
    vanishedObjects: 0,
    excludedObjects: 0,
  };

  constructor(filter: FileFilter) {
    this.#filter = filter;
  }

  excluded(): void {
    this.stated.excludedObjects += 1;
  }

  directory(): void {
    this.stated.directories += 1;
  }

  symlink(): void {
    this.stated.symlinks += 1;
    this.#now.others += 1;
  }

  /** A file of the source. */
  file(file: Sized, kind: "new" | "unchanged"): void {
    this.#hold(file);
    this.#now.files += 1;
    this.#now.bytes += file.sizeBytes;
    if (kind === "new") this.stated.newObjects += 1;
    else this.stated.unchangedObjects += 1;
  }

  /** A file of the source that is not to be had as it is. */
  problem(): void {
    this.#now.files += 1;
  }

  /** An object that is kept as an earlier backup has it. */
  kept(entry: Sized & { readonly kind: "file" | "directory" | "symlink" }): void {
    if (entry.kind === "directory") this.stated.directories += 1;
    else if (entry.kind === "symlink") this.stated.symlinks += 1;
    else this.#hold(entry);
  }

  vanished(): void {
    this.stated.vanishedObjects += 1;
  }

  /** A file of the last backup that is unchanged. */
  unchangedBefore(file: Sized): void {
    this.#before.files += 1;
    this.#before.bytes += file.sizeBytes;
  }

  /** Whatever the last backup holds under a key, as far as the filters of now include it. */
  before(line: ManifestLine | undefined): void {
    if (line === undefined || line.key.endsWith("/")) return;
    const { key, kind, sizeBytes, vanished } = line.entry;
    if (vanished || !this.#filter.includes(key)) return;
    if (kind === "file") this.#before.files += 1;
    else this.#before.others += 1;
    this.#before.bytes += sizeBytes;
  }

  /** Why the source is refused, by what it has now. */
  refusal(url: string, known: PreviousFiles, maxShrink: number): Failure | undefined {
    const last = known.previous;
    const component = last?.metadata.components.files;
    // Of a manifest that could not be read to its end only the totals are known.
    const before =
      component !== undefined && known.isPreviousDamaged()
        ? { files: component.objects, others: component.symlinks, bytes: component.sourceBytes }
        : this.#before;
    return sourceProblem({
      url,
      now: this.#now,
      before: last === undefined ? undefined : { ...before, backupId: last.backupId },
      maxShrink,
    });
  }

  #hold(file: Sized): void {
    this.stated.objects += 1;
    this.stated.sourceBytes += file.sizeBytes;
  }
}
