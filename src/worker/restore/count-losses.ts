import type { TargetKeeps } from "../../core/ports/file-target.ts";
import { showKey, type ManifestEntry } from "../../core/repository/manifest.ts";
import { isHeld } from "../../core/restore/held-entries.ts";
import { showCount } from "../../core/restore/plan-restore.ts";
import type { PlanNote } from "../../core/restore/restore.ts";

const namesShown = 5;

/** A count with the first few names. */
class Named {
  count = 0;
  readonly #names: string[] = [];

  add(name: string): void {
    this.count += 1;
    if (this.#names.length < namesShown) this.#names.push(name);
  }

  /** `a; b and 3 more` */
  get names(): string {
    const more = this.count - this.#names.length;
    return `${this.#names.join("; ")}${more > 0 ? ` and ${showCount(more)} more` : ""}`;
  }
}

/** Counts what of a backup the target cannot hold or keep, for the plan to say. Memory: a few names. */
export class LossCounter {
  readonly #keeps: TargetKeeps;
  readonly #impossible = new Named();
  readonly #symlinks = new Named();
  #folders = 0;
  #filesWithModes = 0;
  #objectsWithFacts = 0;

  constructor(keeps: TargetKeeps) {
    this.#keeps = keeps;
  }

  /** `why`: it cannot be restored at all. */
  count(entry: ManifestEntry, why: string | undefined): void {
    if (why !== undefined) this.#impossible.add(`${showKey(entry.key)}: ${why}`);
    else if (!this.#keeps.folders && !isHeld(entry)) {
      if (entry.kind === "symlink") this.#symlinks.add(showKey(entry.key));
      else this.#folders += 1;
    } else if (entry.object === undefined) this.#filesWithModes += 1;
    else this.#objectsWithFacts += 1;
  }

  blockers(): PlanNote[] {
    const { count, names } = this.#impossible;
    if (count === 0) return [];
    const place = this.#keeps.folders ? "folder" : "bucket";
    const message =
      `${showCount(count)} files cannot be restored to a ${place} (${names}). ` +
      "Leave them out with --include, or download them.";
    return [{ code: "path-not-restorable", message }];
  }

  warnings(): string[] {
    const lost: string[] = [];
    const { count, names } = this.#symlinks;
    if (count > 0) lost.push(`${showCount(count)} symlinks are left out, as a bucket has none: ${names}.`);
    if (this.#folders > 0)
      lost.push(`${showCount(this.#folders)} folders are not made: a bucket has only what would be in them.`);
    if (!this.#keeps.modesAndTimes && this.#filesWithModes > 0)
      lost.push(
        `A bucket keeps no modes, owners and modification times: those of ${showCount(this.#filesWithModes)} files are ` +
          "not restored. They stay in the backup.",
      );
    if (!this.#keeps.objectFacts && this.#objectsWithFacts > 0)
      lost.push(
        `A folder keeps no content types, metadata and tags: those of ${showCount(this.#objectsWithFacts)} objects are ` +
          "not restored. They stay in the backup.",
      );
    return lost;
  }
}
