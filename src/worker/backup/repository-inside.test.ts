import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compileFilter } from "../../core/files/filter.ts";
import { SourceError } from "../../core/ports/file-source.ts";
import type { ObjectStore } from "../../core/ports/object-store.ts";
import type { FileKey } from "../../core/repository/manifest.ts";
import { openFolderSource } from "../../stores/filesystem/folder-source.ts";
import { openFilesystemStore } from "../../stores/filesystem/filesystem-store.ts";
import { MemoryStore } from "../../stores/memory/memory-store.ts";
import { openFilesPlace, type FilesPlace } from "../../../test/support/files-run.ts";
import { ensureRepository } from "../repository/repository.ts";
import { repositoryInside } from "./repository-inside.ts";

let place: FilesPlace;
beforeEach(() => {
  place = openFilesPlace();
});
afterEach(() => place.close());

const runIn = (repository: string, store: ObjectStore = new MemoryStore()) => ({
  ...place.run,
  store,
  context: { ...place.run.context, repository },
});

const inside = (url: string, repository: string): Promise<string | undefined> =>
  repositoryInside(
    { url, open: () => Promise.reject(new SourceError("gone", "it is not there")) },
    runIn(repository),
  );

describe("a repository in the place of the files", () => {
  test.each([
    ["file:///srv/site", "file:///srv/site/backups/lc2", "/backups/lc2"],
    ["file:///srv/site/", "file:///srv/site/a%2Ab", "/a\\*b"],
    ["s3://site", "s3://site/lc2", "/lc2"],
    [
      "s3://site/docs?endpoint=http://host&profile=reader",
      "s3://site/docs/lc2/r?endpoint=http://host",
      "/lc2/r",
    ],
    ["s3://site", "s3://site/what%3F", "/what\\?"],
  ])("%s and %s is found", async (files, repository, pattern) => {
    expect(await inside(files, repository)).toBe(pattern);
    const filter = compileFilter({ excludePatterns: [], excludePaths: [pattern], includePaths: [] });
    expect(filter.includes(`${pattern.slice(1).replaceAll("\\", "")}/backups/x`)).toBe(false);
  });

  test.each([
    ["file:///srv/site", "file:///srv/site2"],
    ["file:///srv/site", "s3://site/lc2"],
    ["s3://site", "file:///srv/site"],
    ["s3://site/docs", "s3://site/docs2"],
    ["s3://site", "s3://other/lc2"],
    ["s3://site?endpoint=http://a", "s3://site/lc2?endpoint=http://b"],
  ])("%s and %s are two places", async (files, repository) => {
    expect(await inside(files, repository)).toBeUndefined();
  });

  test.each([
    ["s3://site/lc2", "s3://site/lc2?profile=other"],
    ["s3://site", "s3://site/a//lc2"],
    ["s3://site", "s3://site/../lc2"],
  ])("%s and %s cannot be told apart, which is refused", async (files, repository) => {
    await expect(inside(files, repository)).rejects.toThrow("cannot be told apart");
  });
});

describe("a repository that is reached under another name", () => {
  /** A folder that a server shows as a bucket, with a repository in it. */
  const makeRepository = async (path: string, url: string): Promise<(root: string) => Promise<unknown>> => {
    const run = runIn(url, openFilesystemStore(join(place.folder, path)));
    await ensureRepository(run);
    return (root) => {
      const files = openFolderSource(pathToFileURL(join(place.folder, root)).href);
      return repositoryInside(
        { url: "s3://site?endpoint=http://alias", open: (key: FileKey) => files.open(key) },
        run,
      );
    };
  };

  test.each([
    ["site/lc2", "s3://site/lc2?endpoint=http://host", "site", "/lc2"],
    ["site/lc2", "s3://other-name/lc2?endpoint=http://host", "site", "/lc2"],
    ["all/site/docs/lc2", "s3://site/docs/lc2?endpoint=http://host", "all", "/site/docs/lc2"],
    ["site/docs/lc2", "s3://site/docs/lc2?endpoint=http://host", "site/docs", "/lc2"],
    ["srv/site/lc2", "file:///srv/site/lc2", "srv/site", "/lc2"],
  ])("%s, which %s names, is found", async (path, url, root, pattern) => {
    const look = await makeRepository(path, url);
    expect(await look(root)).toBe(pattern);
  });

  test("is refused where it is the place of the files itself", async () => {
    const look = await makeRepository("site", "s3://site?endpoint=http://host");
    await expect(look("site")).rejects.toThrow("cannot be told apart");
  });

  test("is another one where it has another id, or says none", async () => {
    const look = await makeRepository("site/lc2", "s3://site/lc2?endpoint=http://host");
    const other = runIn("s3://x", openFilesystemStore(join(place.folder, "elsewhere/lc2")));
    await ensureRepository(other);
    expect(await look("elsewhere")).toBeUndefined();
    writeFileSync(join(place.folder, "elsewhere/lc2/lc2-repository.json"), "{");
    expect(await look("elsewhere")).toBeUndefined();
    writeFileSync(join(place.folder, "elsewhere/lc2/lc2-repository.json"), "null");
    expect(await look("elsewhere")).toBeUndefined();
  });
});
