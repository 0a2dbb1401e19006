import { Failure } from "../../core/failure.ts";
import { encodeSkipped, type SkippedObject } from "../../core/files/skipped-object.ts";
import { showKey } from "../../core/repository/manifest.ts";
import type { StoredFile } from "../../core/repository/metadata.ts";
import { LineWriter } from "../streams/line-writer.ts";
import type { StoredFilePlace } from "../streams/stored-file.ts";

const namesShown = 10;

/** Names every object that a backup does not hold as it is now: all in a stored file, the first in messages. */
export class SkippedList {
  readonly #place: StoredFilePlace;
  readonly #name: string;
  readonly #warn: (message: string) => void;
  #lines: LineWriter | undefined;
  #objects = 0;
  readonly #unreadable: string[] = [];
  #unreadableObjects = 0;
  #changingObjects = 0;
  /** Of them, those of which there is no earlier version either. */
  #neverReadObjects = 0;

  constructor(place: StoredFilePlace, name: string, warn: (message: string) => void) {
    this.#place = place;
    this.#name = name;
    this.#warn = warn;
  }

  async add(skipped: SkippedObject): Promise<void> {
    this.#lines ??= await LineWriter.create(this.#place, this.#name);
    this.#objects += 1;
    if (skipped.reason === "changing") {
      this.#changingObjects += 1;
      if (!skipped.earlierVersionKept) this.#neverReadObjects += 1;
    }
    if (skipped.reason === "unreadable") {
      this.#unreadableObjects += 1;
      if (this.#unreadable.length < namesShown)
        this.#unreadable.push(`${showKey(skipped.key)} (${skipped.message})`);
    } else if (this.#objects <= namesShown) {
      this.#warn(`${showKey(skipped.key)} is not in this backup as it is now: ${skipped.message}.`);
    }
    await this.#lines.add(encodeSkipped(skipped));
  }

  /**
   * What to fail with where unreadable files are not allowed; undefined where there are none. A few files that change
   * all the time are no reason; more of them than were read (`heldObjects`) are: that would be no backup.
   */
  unreadableFailure(sourceUrl: string, heldObjects: number): Failure | undefined {
    if (this.#neverReadObjects > heldObjects) {
      return new Failure(
        "files-unreadable",
        `${this.#neverReadObjects} files of ${sourceUrl} changed at every attempt to read them, and only ${heldObjects} ` +
          "could be read. Back up when the source is quieter, or accept a backup without them with --allow-unreadable. " +
          "A store that states another ETag or time in its lists than with an object looks the same.",
      );
    }
    if (this.#unreadableObjects === 0) return undefined;
    return new Failure(
      "files-unreadable",
      `${this.#unreadableObjects} files or folders of ${sourceUrl} cannot be read: ${this.#names()}. Give this user ` +
        "the right to read them, exclude them, or accept a backup without them with --allow-unreadable.",
    );
  }

  /** The list's stored file and its length; undefined where nothing was skipped. */
  async finish(): Promise<(StoredFile & { readonly objects: number }) | undefined> {
    if (this.#unreadableObjects > 0) {
      this.#warn(
        `${this.#unreadableObjects} files or folders could not be read and are not in this backup as they are ` +
          `now: ${this.#names()}.`,
      );
    }
    if (this.#changingObjects > 0) {
      this.#warn(
        `${this.#changingObjects} files changed at every attempt to read them; their names are in the list of ` +
          "skipped files.",
      );
    }
    const file = await this.#lines?.finish();
    return file === undefined ? undefined : { ...file, objects: this.#objects };
  }

  /** Leaves nothing behind. Idempotent. */
  async abort(): Promise<void> {
    await this.#lines?.abort();
  }

  #names(): string {
    const more = this.#unreadableObjects - this.#unreadable.length;
    return this.#unreadable.join(", ") + (more > 0 ? ` and ${more} more` : "");
  }
}
