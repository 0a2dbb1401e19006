/**
 * What is known about an application, as data. A profile leaves nothing out by itself: its patterns are used
 * only when generated files are to be left out (`--exclude-generated`), its tables are suggestions.
 */
export interface ApplicationProfile {
  readonly name: ApplicationName;
  readonly title: string;
  /**
   * Folders of files that the application makes again by itself, relative to its file store; how each is made
   * again is what a user must know before leaving it out.
   */
  readonly generatedFiles: readonly GeneratedFiles[];
  /** Where the file store is found in an installation, as the end of a path; `*` is one name. */
  readonly fileStore: string;
  /** Tables whose rows are worthless after a restore, as `excludeTables` takes them. */
  readonly disposableTables: readonly string[];
}

export interface GeneratedFiles {
  /** In the language of `core/files/filter.ts`. With a leading slash: from the file store's own folder. */
  readonly pattern: string;
  readonly madeAgain: string;
}

export type ApplicationName = "liferay" | "drupal" | "bloomreach";

/**
 * The profile's patterns of generated files for a source folder. A pattern that is tied to the file store
 * is tied to the source's root where the source is the file store, and to every such folder below the
 * source where it is not (`sites/default/files/css/` below a web root): a `css` folder elsewhere stays.
 */
export function generatedFilePatterns(profile: ApplicationProfile, sourceUrl: string): string[] {
  const storeNames = profile.fileStore.split("/");
  const isStoreItself = endsWithNames(sourceUrl, storeNames);
  return profile.generatedFiles.map(({ pattern }) => {
    if (!pattern.startsWith("/") || isStoreItself) return pattern;
    return `**/${profile.fileStore}${pattern}`;
  });
}

function endsWithNames(sourceUrl: string, names: readonly string[]): boolean {
  // A bucket's URL goes on after its prefix.
  const path = sourceUrl.replace(/\?.*$/, "").replace(/\/+$/, "").split("/").slice(-names.length);
  return path.length === names.length && names.every((name, index) => name === "*" || name === path[index]);
}
