import { describe, expect, test } from "vitest";
import { compileFilter } from "../../core/files/filter.ts";
import type { TaskRun } from "../task.ts";
import { repositoryInside } from "./repository-inside.ts";

const inside = (files: string, repository: string): string | undefined =>
  repositoryInside(files, { context: { repository } } as TaskRun);

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
  ])("%s and %s is found", (files, repository, pattern) => {
    expect(inside(files, repository)).toBe(pattern);
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
  ])("%s and %s are two places", (files, repository) => {
    expect(inside(files, repository)).toBeUndefined();
  });

  test.each([
    ["s3://site/lc2", "s3://site/lc2?profile=other"],
    ["s3://site", "s3://site/a//lc2"],
    ["s3://site", "s3://site/../lc2"],
  ])("%s and %s cannot be told apart, which is refused", (files, repository) => {
    expect(() => inside(files, repository)).toThrow("cannot be told apart");
  });
});
